"""Blocks on rows of features: dense, flatten, dropout, ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tflite_models.build.block import Forward, Gradients, Parameters, Tensor, positive


@dataclass(frozen=True)
class Dense:
    """``y = relu(x W + b)``; ``dW = xᵀ g``, ``db = Σ g``, ``dx = g Wᵀ`` with ``g`` masked by the ReLU.

    The kernel is ``(1, in, out)`` (``block.stored_shape``), and so is its gradient.
    """

    name: str
    use_bias: bool
    relu: bool

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        x = tf.reshape(x, (1, *x.shape))
        y = tf.matmul(x, parameters[f"{self.name}.kernel"])
        if self.use_bias:
            y = y + parameters[f"{self.name}.bias"]
        if self.relu:
            y = tf.nn.relu(y)
        return Forward(tf.reshape(y, y.shape[1:]), (x, y))

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        x, y = saved
        gradient = tf.reshape(gradient, y.shape)
        if self.relu:
            gradient = gradient * positive(y)
        gradients = {f"{self.name}.kernel": tf.matmul(x, gradient, transpose_a=True)}
        if self.use_bias:
            gradients[f"{self.name}.bias"] = tf.reduce_sum(gradient, axis=(0, 1))
        if not wants_input:
            return None, gradients
        back = tf.matmul(gradient, parameters[f"{self.name}.kernel"], transpose_b=True)
        return tf.reshape(back, back.shape[1:]), gradients


@dataclass(frozen=True)
class Flatten:
    """Reshapes ``(batch, …)`` to ``(batch, features)``."""

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        return Forward(tf.reshape(x, (x.shape[0], -1)), tuple(x.shape))

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        return tf.reshape(gradient, saved), {}


@dataclass(frozen=True)
class Dropout:
    """Multiplies by a mask that is an input of the program, so that a run can be repeated; no mask, no change."""

    name: str

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        mask = masks.get(self.name)
        return Forward(x if mask is None else x * mask, mask)

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        return gradient if saved is None else gradient * saved, {}


@dataclass(frozen=True)
class ReLU:
    """The positive part; its gradient passes where the output is positive."""

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        y = tf.nn.relu(x)
        return Forward(y, y)

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        return gradient * positive(saved), {}
