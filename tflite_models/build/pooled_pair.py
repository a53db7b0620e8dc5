"""Two rounds of 3×3 convolution, ReLU and 2×2 max-pooling in one block: the front of the default network.

What makes it several times as fast as the layers one by one:

- Arrays stay flattened to ``(1, n, channels)`` and split by the parity of row and column, so that neither a shift nor
  a pooling window needs a strided copy, and no reshape (which copies in XNNPACK) is large.
- Pixels that no pooling window reaches are not computed.
- The first convolution's patches come from a constant one-hot convolution; its output is never stored whole.
- The second convolution uses Winograd's products (``winograd``).
- The batch runs in blocks of a few samples, so that what one op writes is in the cache when the next one reads it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_models.build.block import Forward, Gradients, Parameters, Tensor
from tflite_models.build.tournament import (
    SATURATE,
    Tournament,
    play,
    quarter_where_positive,
    share,
)
from tflite_models.build.winograd import Grid, Winograd

_PIXELS = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class _Block:
    """What one block of samples keeps for its backward rule."""

    patches: Grid
    planes: Grid
    first: dict[tuple[int, int], Tournament]
    transformed: Grid
    second: Tournament
    output: Tensor


@dataclass(frozen=True)
class PooledPair:
    """``pool(relu(conv(pool(relu(conv(x))))))`` with 3×3 filters and 2×2 windows, flattened at the end to rows,
    columns and channels.

    Attributes:
        first: name of the first convolution.
        second: name of the second.
        rows: of the output.
        columns: of the output.
        block: samples that go through together.
    """

    first: str
    second: str
    rows: int
    columns: int
    block: int

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        batch, _, _, channels = x.shape
        weights = self._first_filters(parameters)
        transform = Winograd(self.columns + 1)
        filters = transform.filters(parameters[f"{self.second}.kernel"], scale=SATURATE)
        bias = parameters[f"{self.second}.bias"]
        size = math.gcd(self.block, batch)
        blocks, outputs = [], []
        for start in range(0, batch, size):
            part = tf.slice(x, (start, 0, 0, 0), (size, *x.shape[1:]))
            block = self._forward_block(part, weights, transform, filters, bias, channels)
            blocks.append(block)
            outputs.append(self._crop(block.output, size))
        return Forward(tf.concat(outputs, axis=0), blocks)

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        blocks: Sequence[_Block] = saved
        batch = gradient.shape[0]
        size = batch // len(blocks)
        transform = Winograd(self.columns + 1)
        # Wᵀ of every transformed filter, for the gradient of the planes.
        filters = transform.filters(parameters[f"{self.second}.kernel"])
        totals: dict[Any, Tensor] = {}
        for index, block in enumerate(blocks):
            part = tf.slice(gradient, (index * size, 0, 0, 0), (size, *gradient.shape[1:]))
            for key, value in self._backward_block(block, self._uncrop(part), transform, filters).items():
                totals[key] = totals[key] + value if key in totals else value
        kernel_2 = transform.kernel_gradient({key[1:]: value for key, value in totals.items() if key[0] == "u"})
        channels, filters_1 = parameters[f"{self.first}.kernel"].shape[2:]
        stacked = tf.concat(tf.split(totals["first",], 4, axis=2), axis=1)
        folded = tf.matmul(tf.constant(_fold(channels)), stacked)
        kernel_1 = tf.slice(folded, (0, 0, 0), (1, 9 * channels, filters_1))
        bias_1 = tf.slice(folded, (0, 9 * channels, 0), (1, 1, filters_1))
        return None, {
            f"{self.first}.kernel": tf.reshape(kernel_1, (3, 3, channels, filters_1)),
            f"{self.first}.bias": tf.reshape(bias_1, (filters_1,)),
            f"{self.second}.kernel": kernel_2,
            f"{self.second}.bias": tf.reshape(totals["bias",], (kernel_2.shape[3],)),
        }

    def _first_filters(self, parameters: Parameters) -> list[Tensor]:
        """Spread the first kernel over 4×4 patches and a last entry of 1: one matrix for each pixel of a window."""
        kernel, bias = parameters[f"{self.first}.kernel"], parameters[f"{self.first}.bias"]
        channels, filters = kernel.shape[2:]
        table = tf.concat([tf.reshape(kernel, (1, 9 * channels, filters)), tf.reshape(bias, (1, 1, filters))], axis=1)
        return [tf.matmul(tf.constant(_place(*pixel, channels) * np.float32(SATURATE)), table) for pixel in _PIXELS]

    def _forward_block(
        self, x: Tensor, weights: list[Tensor], transform: Winograd, filters: Grid, bias: Tensor, channels: int
    ) -> _Block:
        patches: Grid = {}
        planes: Grid = {}
        first: dict[tuple[int, int], Tournament] = {}
        for plane in _PIXELS:
            patches[plane] = self._patches(x, *plane, channels)
            first[plane] = play(*[tf.matmul(patches[plane], weight) for weight in weights])
            planes[plane] = tf.nn.relu(first[plane].largest * (1 / SATURATE))
        transformed = transform.patches(planes)
        pixels = transform.outputs({key: tf.matmul(entry, filters[key]) for key, entry in transformed.items()})
        second = play(*[pixels[pixel] for pixel in _PIXELS])
        output = tf.nn.relu(second.largest * (1 / SATURATE) + bias)
        return _Block(patches, planes, first, transformed, second, output)

    def _backward_block(self, block: _Block, gradient: Tensor, transform: Winograd, filters: Grid) -> dict[Any, Tensor]:
        found: dict[Any, Tensor] = {}
        quarter = quarter_where_positive(gradient, block.output)
        parts = share(quarter, block.second)
        # Not all of these are 1, so that the converter keeps the product instead of a slow SUM.
        found["bias",] = tf.matmul(tf.constant(self._read_mask(quarter.shape[1]) * np.float32(4)), quarter)
        products = transform.products_gradient(
            {
                (0, 0): parts.upper + parts.tilt_upper,
                (0, 1): parts.upper - parts.tilt_upper,
                (1, 0): parts.lower + parts.tilt_lower,
                (1, 1): parts.lower - parts.tilt_lower,
            }
        )
        entries: Grid = {}
        for key, product in products.items():
            transposed = tf.transpose(block.transformed[key], (0, 2, 1))
            found["u", *key] = tf.matmul(transposed, product)
            entries[key] = tf.matmul(product, filters[key], transpose_b=True)
        planes = transform.planes_gradient(entries)
        for plane in _PIXELS:
            parts = share(quarter_where_positive(planes[plane], block.planes[plane]), block.first[plane])
            patches = tf.transpose(block.patches[plane], (0, 2, 1))
            # Side by side, so that the patches are transposed and packed once for all four.
            stacked = tf.concat([parts.whole, parts.tilt, parts.tilt_upper, parts.tilt_lower], axis=2)
            value = tf.matmul(patches, stacked)
            found["first",] = found["first",] + value if ("first",) in found else value
        return found

    def _patches(self, x: Tensor, row: int, column: int, channels: int) -> Tensor:
        """Cut the 4×4 patches of one plane's pooling windows, each with a last entry of 1: ``(1, n, 16 c + 1)``."""
        size, tall, wide = x.shape[0], self.rows + 1, self.columns + 1
        part = tf.slice(x, (0, 2 * row, 2 * column, 0), (size, 4 * tall, 4 * wide, channels))
        patches = tf.nn.conv2d(part, tf.constant(_one_hot(channels)), 4, "VALID")
        patches = tf.nn.bias_add(patches, tf.constant(_last_one(channels)))
        return tf.reshape(patches, (1, size * tall * wide, 16 * channels + 1))

    def _crop(self, output: Tensor, size: int) -> Tensor:
        """Cut the windows that exist out of ``(1, n − lost, c)``, to ``(size, rows, columns, c)``."""
        tall, wide, filters = self.rows + 1, self.columns + 1, output.shape[2]
        whole = tf.pad(output, ((0, 0), (0, wide + 1), (0, 0)))
        whole = tf.reshape(whole, (size, tall, wide, filters))
        return tf.slice(whole, (0, 0, 0, 0), (size, self.rows, self.columns, filters))

    def _uncrop(self, gradient: Tensor) -> Tensor:
        """Put zeros where ``_crop`` cut, so that the windows that do not exist send nothing back."""
        size, _, _, filters = gradient.shape
        tall, wide = self.rows + 1, self.columns + 1
        whole = tf.pad(gradient, ((0, 0), (0, 1), (0, 1), (0, 0)))
        whole = tf.reshape(whole, (1, size * tall * wide, filters))
        return tf.slice(whole, (0, 0, 0), (1, size * tall * wide - wide - 1, filters))

    def _read_mask(self, length: int) -> NDArray[np.float32]:
        tall, wide = self.rows + 1, self.columns + 1
        n = np.arange(length)
        read = (n % wide < self.columns) & (n // wide % tall < self.rows)
        return read.astype(np.float32)[np.newaxis, np.newaxis]


def _one_hot(channels: int) -> NDArray[np.float32]:
    """The filter ``(4, 4, c, 16 c + 1)`` whose outputs are the entries of a patch, and a last one that is 0."""
    filters = np.zeros((16 * channels, 16 * channels + 1), np.float32)
    np.fill_diagonal(filters, 1)
    return filters.reshape(4, 4, channels, 16 * channels + 1)


def _last_one(channels: int) -> NDArray[np.float32]:
    bias = np.zeros(16 * channels + 1, np.float32)
    bias[-1] = 1
    return bias


def _place(row: int, column: int, channels: int) -> NDArray[np.float32]:
    """The 0/1 matrix ``(1, 16 c + 1, 9 c + 1)`` that puts a 3×3 kernel at an offset in a 4×4 patch."""
    matrix = np.zeros((16 * channels + 1, 9 * channels + 1), np.float32)
    for tap in range(9):
        for channel in range(channels):
            place = (row + tap // 3) * 4 + column + tap % 3
            matrix[place * channels + channel, tap * channels + channel] = 1
    matrix[-1, -1] = 1
    return matrix[np.newaxis]


def _fold(channels: int) -> NDArray[np.float32]:
    """The matrix ``(1, 9 c + 1, 4 (16 c + 1))`` that gathers the kernel's gradient from the four parts of
    ``tournament.Shares``: whole, tilt, tilt_upper, tilt_lower.
    """
    a, b, c, d = (_place(*pixel, channels)[0].T for pixel in _PIXELS)
    return np.concatenate([a + b + c + d, a + b - c - d, a - b, c - d], axis=1)[np.newaxis]
