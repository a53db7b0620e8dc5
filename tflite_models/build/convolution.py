"""The convolution block: patches by slices, products by matrix multiplication.

XNNPACK runs a convolution only when its filter is a constant; with a filter that is being trained it falls back to a
kernel many times slower. A product with two variable operands it does run, so the convolution is laid out as one
(im2col: Chellapilla et al. 2006, "High performance convolutional neural networks for document processing").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_models.build.block import Forward, Gradients, Parameters, Tensor, positive, product


@dataclass(frozen=True)
class Convolution:
    """``y = relu(patches(x) W + b)``, stride 1.

    Attributes:
        name: of the layer.
        kernel: rows and columns of the filter.
        pad: rows and columns of zeros around the input, before and after each: ``((top, bottom), (left, right))``.
        use_bias: whether a bias is added.
        relu: whether the positive part is taken.
    """

    name: str
    kernel: tuple[int, int]
    pad: tuple[tuple[int, int], tuple[int, int]]
    use_bias: bool
    relu: bool

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        input_shape = tuple(x.shape)
        if any(any(side) for side in self.pad):
            x = tf.pad(x, ((0, 0), *self.pad, (0, 0)))
        batch, height, width, channels = x.shape
        rows, columns = self.kernel
        out_height, out_width = height - rows + 1, width - columns + 1
        patches = tf.concat(
            [
                tf.slice(x, (0, row, column, 0), (batch, out_height, out_width, channels))
                for row in range(rows)
                for column in range(columns)
            ],
            axis=3,
        )
        patches = tf.reshape(patches, (batch * out_height * out_width, rows * columns * channels))
        weights = parameters[f"{self.name}.kernel"]
        filters = weights.shape[3]
        y = product(patches, tf.reshape(weights, (rows * columns * channels, filters)))
        if self.use_bias:
            y = y + parameters[f"{self.name}.bias"]
        if self.relu:
            y = tf.nn.relu(y)
        return Forward(tf.reshape(y, (batch, out_height, out_width, filters)), (input_shape, patches, y))

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        input_shape, patches, y = saved
        batch, out_height, out_width, filters = gradient.shape
        gradient = tf.reshape(gradient, (batch * out_height * out_width, filters))
        if self.relu:
            gradient = gradient * positive(y)
        weights = parameters[f"{self.name}.kernel"]
        kernel_gradient = product(tf.transpose(patches), gradient)
        gradients = {f"{self.name}.kernel": tf.reshape(kernel_gradient, weights.shape)}
        if self.use_bias:
            gradients[f"{self.name}.bias"] = tf.reduce_sum(gradient, axis=0)
        if not wants_input:
            return None, gradients
        rows, columns = self.kernel
        _, height, width, channels = input_shape
        (top, bottom), (left, right) = self.pad
        height, width = height + top + bottom, width + left + right
        spread = product(gradient, tf.reshape(weights, (patches.shape[1], filters)), transpose_right=True)
        spread = tf.reshape(spread, (batch, out_height, out_width, rows * columns * channels))
        total = None
        for index in range(rows * columns):
            row, column = divmod(index, columns)
            part = tf.slice(spread, (0, 0, 0, index * channels), (batch, out_height, out_width, channels))
            part = tf.pad(
                part,
                ((0, 0), (row, height - out_height - row), (column, width - out_width - column), (0, 0)),
            )
            total = part if total is None else total + part
        return tf.slice(total, (0, top, left, 0), input_shape), gradients
