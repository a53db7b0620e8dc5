"""Winograd's minimal filtering F(2×2, 3×3) on planes (Lavin and Gray 2016, "Fast algorithms for convolutional neural
networks", section 4.1): a 3×3 convolution at the four pixels of a pooling window in 16 products instead of 36.

The input comes as four planes, one for each parity of row and column, each flattened to ``(1, n, channels)`` with
``n`` running over samples, rows and columns. The entry ``(u, v)`` of every window's 4×4 patch is then one plane,
shifted along ``n``: a slice, which is one block copy. Shifts run over the end of a row or a sample into the next;
those windows are the last row and column of each plane, which nobody reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_models.build.block import Tensor

# Rows of Bᵀ: (first entry, second entry, sign of the second); every row has two entries, the first with +1.
_INPUT = ((0, 2, -1), (1, 2, 1), (2, 1, -1), (1, 3, -1))
_FILTER = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
_OUTPUT = ((1, 1, 1, 0), (0, 1, -1, -1))

Grid = dict[tuple[int, int], Tensor]
"""Arrays by row and column: planes and window pixels by (0..1, 0..1), patch entries and products by (0..3, 0..3)."""


@dataclass(frozen=True)
class Winograd:
    """The transforms for planes of one width.

    Attributes:
        width: columns of a plane: how far one row down is along ``n``.
    """

    width: int

    def rows_lost(self) -> int:
        """How many fewer rows the products have than the planes: the last shift."""
        return self.width + 1

    def filters(self, kernel: Tensor, *, scale: float = 1.0) -> Grid:
        """Transform a kernel ``(3, 3, in, out)`` to ``G g Gᵀ``: 16 matrices ``(1, in, out)``."""
        _, _, channels, filters = kernel.shape
        matrix = tf.constant(_kernel_matrix() * np.float32(scale))
        flat = tf.matmul(matrix, tf.reshape(kernel, (1, 9, channels * filters)))
        return {
            (i, j): tf.reshape(tf.slice(flat, (0, 4 * i + j, 0), (1, 1, channels * filters)), (1, channels, filters))
            for i in range(4)
            for j in range(4)
        }

    def kernel_gradient(self, gradients: Grid) -> Tensor:
        """Transform the gradients of the 16 matrices, ``(1, in, out)`` each, to that of the kernel."""
        _, channels, filters = gradients[0, 0].shape
        rows = [tf.reshape(gradients[i, j], (1, 1, channels * filters)) for i in range(4) for j in range(4)]
        flat = tf.matmul(
            tf.constant(np.ascontiguousarray(_kernel_matrix().transpose(0, 2, 1))), tf.concat(rows, axis=1)
        )
        return tf.reshape(flat, (3, 3, channels, filters))

    def patches(self, planes: Grid) -> Grid:
        """Transform planes ``(1, n, in)`` to ``Bᵀ d B``: 16 arrays ``(1, n − rows_lost, in)``."""
        tall = {
            (i, parity): row
            for parity in (0, 1)
            for i, row in enumerate(_forward(planes[0, parity], planes[1, parity], self.width))
        }
        return {(i, j): entry for i in range(4) for j, entry in enumerate(_forward(tall[i, 0], tall[i, 1], 1))}

    def planes_gradient(self, gradients: Grid) -> Grid:
        """Transform the gradients of the 16 arrays back to those of the planes."""
        tall: Grid = {}
        for i in range(4):
            tall[i, 0], tall[i, 1] = _backward([gradients[i, j] for j in range(4)], 1)
        planes: Grid = {}
        for parity in (0, 1):
            planes[0, parity], planes[1, parity] = _backward([tall[i, parity] for i in range(4)], self.width)
        return planes

    def outputs(self, products: Grid) -> Grid:
        """Transform 16 products to ``Aᵀ m A``: the four pixels of every window."""
        tall = {(a, j): _combine([products[i, j] for i in range(4)], _OUTPUT[a]) for a in (0, 1) for j in range(4)}
        return {(a, b): _combine([tall[a, j] for j in range(4)], _OUTPUT[b]) for a in (0, 1) for b in (0, 1)}

    def products_gradient(self, pixels: Grid) -> Grid:
        """Transform the gradients of the four pixels to those of the 16 products."""
        tall: Grid = {}
        for b in (0, 1):
            for i, row in enumerate(_spread(pixels[0, b], pixels[1, b])):
                tall[i, b] = row
        return {(i, j): entry for i in range(4) for j, entry in enumerate(_spread(tall[i, 0], tall[i, 1]))}


def _kernel_matrix() -> NDArray[np.float32]:
    matrix: NDArray[np.float32] = np.kron(_FILTER, _FILTER)[np.newaxis].astype(np.float32)
    return matrix


def _forward(even: Tensor, odd: Tensor, step: int) -> list[Tensor]:
    batch, length, channels = even.shape
    size = (batch, length - step, channels)
    entries = [tf.slice(plane, (0, start, 0), size) for start in (0, step) for plane in (even, odd)]
    return [
        entries[first] + entries[second] if sign > 0 else entries[first] - entries[second]
        for first, second, sign in _INPUT
    ]


def _backward(rows: list[Tensor], step: int) -> tuple[Tensor, Tensor]:
    entries: list[Tensor | None] = [None] * 4
    for row, (first, second, sign) in zip(rows, _INPUT, strict=True):
        for entry, coefficient in ((first, 1), (second, sign)):
            entries[entry] = _accumulate(entries[entry], row, coefficient)
    even = tf.pad(entries[0], ((0, 0), (0, step), (0, 0))) + tf.pad(entries[2], ((0, 0), (step, 0), (0, 0)))
    odd = tf.pad(entries[1], ((0, 0), (0, step), (0, 0))) + tf.pad(entries[3], ((0, 0), (step, 0), (0, 0)))
    return even, odd


def _combine(rows: list[Tensor], coefficients: tuple[int, ...]) -> Tensor:
    total: Tensor | None = None
    for row, coefficient in zip(rows, coefficients, strict=True):
        if coefficient:
            total = _accumulate(total, row, coefficient)
    return total


def _spread(first: Tensor, second: Tensor) -> list[Tensor]:
    """Return the rows of ``A`` applied to two entries; the last is negative, as in ``_OUTPUT``."""
    return [first, first + second, first - second, -second]


def _accumulate(total: Tensor | None, row: Tensor, coefficient: int) -> Tensor:
    if total is None:
        return row if coefficient > 0 else -row
    return total + row if coefficient > 0 else total - row
