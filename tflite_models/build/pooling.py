"""The max-pooling block.

The largest value of a window is found by a tournament, one entry against the best so far, and the gradient runs back
along the same path. A plain "equals the largest" mask would hand the gradient to every entry that ties, and on blank
paper all of them do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_models.build.block import Forward, Gradients, Parameters, Tensor

_SATURATE = 2.0**100


def beats(one: Tensor, other: Tensor) -> Tensor:
    """Return 1 where ``one >= other``, 0 elsewhere, in ops that XNNPACK runs."""
    return tf.nn.relu(tf.minimum(one - other, 0.0) * _SATURATE + 1.0)


@dataclass(frozen=True)
class MaxPool:
    """The largest value of each window; the first of equals takes the gradient, as in TensorFlow."""

    pool: tuple[int, int]
    strides: tuple[int, int]

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        batch, height, width, channels = x.shape
        out_height = (height - self.pool[0]) // self.strides[0] + 1
        out_width = (width - self.pool[1]) // self.strides[1] + 1
        best = None
        kept = []
        for row in range(self.pool[0]):
            for column in range(self.pool[1]):
                entry = tf.strided_slice(
                    x,
                    (0, row, column, 0),
                    (
                        batch,
                        row + (out_height - 1) * self.strides[0] + 1,
                        column + (out_width - 1) * self.strides[1] + 1,
                        channels,
                    ),
                    (1, *self.strides, 1),
                )
                if best is None:
                    best = entry
                else:
                    kept.append(beats(best, entry))
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
        total = None
        for index, share in enumerate(shares):
            part = self._scatter(share, *divmod(index, self.pool[1]), shape)
            total = part if total is None else total + part
        return total, {}

    def _scatter(self, share: Tensor, row: int, column: int, shape: tuple[int, ...]) -> Tensor:
        """Put a window entry's gradient back to where that entry was, zeros elsewhere."""
        batch, height, width, channels = shape
        rows, columns = share.shape[1:3]
        tall, wide = self.strides
        spread = tf.reshape(share, (batch, rows, columns, channels))
        if wide > 1:
            spread = tf.reshape(spread, (batch * rows, columns, 1, channels))
            spread = tf.pad(spread, ((0, 0), (0, 0), (0, wide - 1), (0, 0)))
        spread = tf.reshape(spread, (batch, rows, 1, columns * wide * channels))
        if tall > 1:
            spread = tf.pad(spread, ((0, 0), (0, 0), (0, tall - 1), (0, 0)))
        spread = tf.reshape(spread, (batch, rows * tall, columns * wide, channels))
        rows, columns = min(rows * tall, height - row), min(columns * wide, width - column)
        spread = tf.slice(spread, (0, 0, 0, 0), (batch, rows, columns, channels))
        return tf.pad(spread, ((0, 0), (row, height - row - rows), (column, width - column - columns), (0, 0)))
