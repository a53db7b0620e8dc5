"""What a block of the network is to the training program: a forward rule and a hand-written backward rule.

TensorFlow's own gradients of ReLU, max-pooling, convolution and dropout become ops that LiteRT has no kernel for
("Flex" ops). So every block writes its gradient in ops that LiteRT does have, and tests hold it against
``tf.GradientTape``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import tensorflow as tf

# tf.Tensor, which has no types that mypy could read.
Tensor: TypeAlias = Any
Parameters = Mapping[str, Tensor]
Gradients = dict[str, Tensor]


@dataclass(frozen=True)
class Forward:
    """What a block computed.

    Attributes:
        output: what the next block reads.
        saved: whatever the backward rule needs again.
    """

    output: Tensor
    saved: Any = None


class Block(Protocol):
    """One step of the network."""

    def forward(self, x: Tensor, parameters: Parameters, masks: Parameters) -> Forward:
        """Compute the output; ``masks`` is empty outside training."""

    def backward(
        self, saved: Any, gradient: Tensor, parameters: Parameters, *, wants_input: bool
    ) -> tuple[Tensor | None, Gradients]:
        """Turn the gradient of the output into that of the input and those of the parameters.

        Args:
            saved: what ``forward`` saved.
            gradient: of the loss with respect to the output.
            parameters: by name.
            wants_input: False for the first block, whose input has no use for a gradient.
        """


def product(left: Tensor, right: Tensor, *, transpose_right: bool = False) -> Tensor:
    """Multiply two matrices of rank 2 as a batch of one.

    The converter turns a product of rank 2 into FULLY_CONNECTED, which XNNPACK leaves alone when its weights are
    computed; a batch of one stays BATCH_MATMUL, which it takes.
    """
    left, right = (tf.reshape(matrix, (1, *matrix.shape)) for matrix in (left, right))
    out = tf.matmul(left, right, transpose_b=transpose_right)
    return tf.reshape(out, out.shape[1:])


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in which the program holds a parameter: a matrix as a batch of one, ready for a product.

    A reshape copies in XNNPACK, and the kernel of the first dense layer is most of the weights.
    """
    return (1, *shape) if len(shape) == 2 else shape


def positive(x: Tensor) -> Tensor:
    """Return 1 where ``x`` is positive and 0 where it is 0; ``x`` must not be negative.

    Comparisons and selections do not run in XNNPACK, multiplications and minima do. The factor is a power of two, so
    nothing is rounded, and every number a network can hold saturates.
    """
    return tf.minimum(x * tf.constant(2.0**100), tf.constant(1.0))
