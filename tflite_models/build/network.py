"""The whole network as blocks: loss, correct answers, and the gradient of the loss."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tflite_models.architecture import (
    Architecture,
    Conv2DSpec,
    DenseSpec,
    DropoutSpec,
    FlattenSpec,
    MaxPool2DSpec,
    ReLUSpec,
)
from tflite_models.build.block import Block, Gradients, Parameters, Tensor
from tflite_models.build.convolution import Convolution
from tflite_models.build.dense import Dense, Dropout, Flatten, ReLU
from tflite_models.build.pooled_pair import PooledPair
from tflite_models.build.pooling import MaxPool

BLOCK_SAMPLES = 8
"""Samples of the fast front that go through together: few enough for their arrays to stay in a core's cache."""


@dataclass(frozen=True)
class Loss:
    """The mean cross-entropy of a weighted batch and what its gradient needs.

    Attributes:
        loss: ``(1,)``, ``Σ wᵢ · −log p(yᵢ) / Σ wᵢ``; 0 for a batch whose weights are all 0.
        correct: ``(1,)``, ``Σ wᵢ`` over the samples whose most probable class is the true one.
        predicted: ``(batch,) int32``, the most probable classes.
        gradient: ``(batch, classes)``, of the loss with respect to the logits.
    """

    loss: Tensor
    correct: Tensor
    predicted: Tensor
    gradient: Tensor


class Network:
    """An architecture as a chain of blocks."""

    def __init__(self, architecture: Architecture) -> None:
        self._blocks = blocks(architecture)

    def logits(self, x: Tensor, parameters: Parameters) -> Tensor:
        """Compute ``(batch, classes)`` logits without dropout."""
        for block in self._blocks:
            x = block.forward(x, parameters, {}).output
        return x

    def loss(self, x: Tensor, y: Tensor, weight: Tensor, parameters: Parameters) -> Loss:
        """Compute the loss of a batch without dropout."""
        return cross_entropy(self.logits(x, parameters), y, weight)

    def gradients(
        self,
        x: Tensor,
        y: Tensor,
        weight: Tensor,
        parameters: Parameters,
        masks: Parameters,
        *,
        rate: Tensor | None = None,
    ) -> tuple[Loss, Gradients]:
        """Compute the loss of a batch and its gradient with respect to every parameter.

        With a rate ``(1,)``, the gradients come multiplied by it: that costs nothing at the logits, and a pass over
        every weight at the end.
        """
        saved = []
        for block in self._blocks:
            step = block.forward(x, parameters, masks)
            saved.append(step.saved)
            x = step.output
        outcome = cross_entropy(x, y, weight)
        gradient: Tensor | None = outcome.gradient if rate is None else outcome.gradient * rate
        gradients: Gradients = {}
        for index in reversed(range(len(self._blocks))):
            gradient, found = self._blocks[index].backward(saved[index], gradient, parameters, wants_input=index > 0)
            gradients |= found
        return outcome, gradients


def cross_entropy(logits: Tensor, y: Tensor, weight: Tensor) -> Loss:
    """Compute the softmax cross-entropy; padding of weight 0 counts for nothing.

    Args:
        logits: ``(batch, classes)``.
        y: ``(batch,) int32``, the true classes.
        weight: ``(batch,)``, how much each sample counts, from 0.
    """
    batch, classes = logits.shape
    truth = tf.one_hot(y, classes, dtype=tf.float32)
    largest = tf.reduce_max(logits, axis=1, keepdims=True)
    shifted = logits - largest
    exponentials = tf.exp(shifted)
    sums = tf.reduce_sum(exponentials, axis=1, keepdims=True)
    share = tf.reshape(weight, (batch, 1))
    # All-zero weights divide by a number that leaves everything 0, not by 0.
    share = share / tf.maximum(tf.reduce_sum(share, axis=0, keepdims=True), 1e-12)
    each = tf.math.log(sums) - tf.reduce_sum(shifted * truth, axis=1, keepdims=True)
    loss = tf.reshape(tf.reduce_sum(each * share, axis=0), (1,))
    predicted = tf.argmax(logits, axis=1, output_type=tf.int32)
    hit = tf.cast(tf.equal(predicted, y), tf.float32)
    correct = tf.reduce_sum(hit * weight, axis=0, keepdims=True)
    gradient = (exponentials / sums - truth) * share
    return Loss(loss, correct, predicted, gradient)


def blocks(architecture: Architecture) -> list[Block]:
    """Turn layers into blocks; the softmax at the end belongs to the loss."""
    steps = list(architecture.outputs())
    chain: list[Block] = []
    pair = _pooled_pair(architecture)
    if pair is not None:
        chain.append(pair)
        steps = steps[4:]
    for layer, _, _ in steps:
        relu = getattr(layer, "activation", "") == "relu"
        if isinstance(layer, Conv2DSpec):
            chain.append(Convolution(layer.name, layer.kernel, padding(layer), layer.use_bias, relu))
        elif isinstance(layer, MaxPool2DSpec):
            chain.append(MaxPool(layer.pool, layer.strides))
        elif isinstance(layer, FlattenSpec):
            chain.append(Flatten())
        elif isinstance(layer, DenseSpec):
            chain.append(Dense(layer.name, layer.use_bias, relu))
        elif isinstance(layer, DropoutSpec):
            chain.append(Dropout(layer.name))
        elif isinstance(layer, ReLUSpec):
            chain.append(ReLU())
    return chain


def _pooled_pair(architecture: Architecture) -> PooledPair | None:
    """Recognise a front of two 3×3 convolutions with ReLU and 2×2 pooling on few channels, which has a faster form."""
    front = architecture.layers[:4]
    if len(front) < 4 or architecture.input_shape[2] > 4:
        return None
    for convolution, pool in (front[:2], front[2:]):
        if not (
            isinstance(convolution, Conv2DSpec)
            and isinstance(pool, MaxPool2DSpec)
            and (convolution.kernel, convolution.padding, convolution.activation) == ((3, 3), "valid", "relu")
            and convolution.use_bias
            and pool.pool == pool.strides == (2, 2)
        ):
            return None
    *_, (_, _, shape) = list(architecture.outputs())[:4]
    return PooledPair(front[0].name, front[2].name, shape[0], shape[1], block=BLOCK_SAMPLES)


def padding(layer: Conv2DSpec) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the zeros around a convolution's input; an even filter under ``same`` has one more after than before."""
    if layer.padding == "valid":
        return (0, 0), (0, 0)
    (rows, columns) = ((size - 1) // 2 for size in layer.kernel)
    return (rows, layer.kernel[0] - 1 - rows), (columns, layer.kernel[1] - 1 - columns)
