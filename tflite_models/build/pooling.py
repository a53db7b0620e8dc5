"""The max-pooling block.

The largest value of a window is found by a tournament, one entry against the best so far, and the gradient runs back
along the same path. A plain "equals the largest" mask would hand the gradient to every entry that ties, and on blank
paper all of them do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_models.build.block import Forward, Gradients, Parameters, Tensor

_SATURATE = 2.0**100


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each window; the first of equals takes the gradient, as in TensorFlow."""

    pool: tuple[int, int]
    strides: tuple[int, int]

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        entries = self._tiles(x) if self.pool == self.strides else self._windows(x)
        best = next(entries)
        kept = []
        for entry in entries:
            kept.append(_beats(best, entry))
            best = tf.maximum(best, entry)
        return Forward(best, (tuple(x.shape), kept))

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        shape, kept = saved
        shares = []
        for keep in reversed(kept):
            remaining = gradient * keep
            shares.append(gradient - remaining)
            gradient = remaining
        shares = [gradient, *reversed(shares)]
        if self.pool == self.strides:
            return self._untile(shares, shape), {}
        total = None
        for index, share in enumerate(shares):
            part = self._scatter(share, *divmod(index, self.pool[1]), shape)
            total = part if total is None else total + part
        return total, {}

    def _output(self, shape: Any) -> tuple[int, int]:
        rows, columns = ((shape[axis + 1] - self.pool[axis]) // self.strides[axis] + 1 for axis in (0, 1))
        return rows, columns

    def _tiles(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the entries of windows that do not overlap, as slices of a reshaped input: no copy has a stride."""
        batch, channels = x.shape[0], x.shape[3]
        rows, columns = self._output(x.shape)
        tall, wide = self.pool
        x = tf.slice(x, (0, 0, 0, 0), (batch, rows * tall, columns * wide, channels))
        x = tf.reshape(x, (batch, rows, tall, columns, wide * channels))
        for row in range(tall):
            for column in range(wide):
                entry = tf.slice(x, (0, 0, row, 0, column * channels), (batch, rows, 1, columns, channels))
                yield tf.reshape(entry, (batch, rows, columns, channels))

    def _untile(self, shares: list[Tensor], shape: tuple[int, ...]) -> Tensor:
        """Put the entries' gradients back side by side, and zeros where no window was."""
        batch, height, width, channels = shape
        rows, columns = self._output(shape)
        tall, wide = self.pool
        lines = [
            tf.reshape(
                tf.concat(shares[row * wide : (row + 1) * wide], axis=3), (batch, rows, 1, columns * wide * channels)
            )
            for row in range(tall)
        ]
        whole = tf.reshape(tf.concat(lines, axis=2), (batch, rows * tall, columns * wide, channels))
        return tf.pad(whole, ((0, 0), (0, height - rows * tall), (0, width - columns * wide), (0, 0)))

    def _windows(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the entries of windows that overlap or leave gaps."""
        batch, channels = x.shape[0], x.shape[3]
        rows, columns = self._output(x.shape)
        tall, wide = self.strides
        for row in range(self.pool[0]):
            for column in range(self.pool[1]):
                end = (batch, row + (rows - 1) * tall + 1, column + (columns - 1) * wide + 1, channels)
                yield tf.strided_slice(x, (0, row, column, 0), end, (1, tall, wide, 1))

    def _scatter(self, share: Tensor, row: int, column: int, shape: tuple[int, ...]) -> Tensor:
        """Put a window entry's gradient back to where that entry was, zeros elsewhere."""
        batch, height, width, channels = shape
        rows, columns = share.shape[1:3]
        tall, wide = self.strides
        spread = tf.reshape(share, (batch * rows, columns, 1, channels))
        spread = tf.pad(spread, ((0, 0), (0, 0), (0, wide - 1), (0, 0)))
        spread = tf.reshape(spread, (batch, rows, 1, columns * wide * channels))
        spread = tf.pad(spread, ((0, 0), (0, 0), (0, tall - 1), (0, 0)))
        spread = tf.reshape(spread, (batch, rows * tall, columns * wide, channels))
        rows, columns = min(rows * tall, height - row), min(columns * wide, width - column)
        spread = tf.slice(spread, (0, 0, 0, 0), (batch, rows, columns, channels))
        return tf.pad(spread, ((0, 0), (row, height - row - rows), (column, width - column - columns), (0, 0)))


def _beats(one: Tensor, other: Tensor) -> Tensor:
    """Return 1 where ``one >= other``, 0 elsewhere, in ops that XNNPACK runs."""
    return tf.nn.relu(tf.minimum(one - other, 0.0) * _SATURATE + 1.0)
