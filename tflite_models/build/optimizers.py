"""One step of an optimizer on variables, with every hyper-parameter an input of the program."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tflite_models.build.block import Gradients, Tensor

ADAM_BETA_1 = 0.9
ADAM_BETA_2 = 0.999
ADAM_EPSILON = 1e-7

Variables = Mapping[str, tf.Variable]


def add_proximal(gradients: Gradients, parameters: Mapping[str, Tensor], anchor: Variables, mu: Tensor) -> Gradients:
    """Add the gradient of ``mu/2 · ‖w − w_global‖²`` (Li et al. 2020, "Federated optimization in heterogeneous
    networks", equation 2).

    Args:
        gradients: of the loss, by parameter.
        parameters: the weights now.
        anchor: the weights that the round began with.
        mu: ``(1,)``; 0 adds nothing.
    """
    return {
        name: gradient + (parameters[name] - anchor[name].read_value()) * mu for name, gradient in gradients.items()
    }


def clip_scale(gradients: Gradients, clip_norm: Tensor) -> Tensor:
    """Return the factor ``(1,)`` that brings the gradients' global L2 norm to at most ``clip_norm``.

    A ``clip_norm`` of 0 leaves them alone (Pascanu et al. 2013, "On the difficulty of training recurrent neural
    networks", algorithm 1).
    """
    total = None
    for gradient in gradients.values():
        squares = tf.reshape(tf.reduce_sum(gradient * gradient, keepdims=True), (1,))
        total = squares if total is None else total + squares
    norm = tf.sqrt(total)
    scale = tf.minimum(clip_norm / tf.maximum(norm, 1e-30), 1.0)
    off = 1.0 - tf.minimum(clip_norm * 2.0**100, 1.0)
    return tf.maximum(scale, off)


def momentum_step(
    gradients: Gradients,
    parameters: Mapping[str, Tensor],
    weights: Variables,
    velocity: Variables,
    *,
    rate: Tensor,
    momentum: Tensor,
    active: Tensor,
) -> None:
    """Do one step of gradient descent with momentum: ``v ← m v − r g``, ``w ← w + v``, as Keras does.

    Args:
        gradients: by parameter.
        parameters: the weights now.
        weights: receive the new weights.
        velocity: receive the new velocities.
        rate: ``(1,)``, the learning rate times the clipping factor.
        momentum: ``(1,)``.
        active: ``(1,)``, 0 for a batch without samples, which changes nothing; 1 otherwise.
    """
    scaled = {name: gradient * (rate * active) for name, gradient in gradients.items()}
    scaled_momentum_step(scaled, parameters, weights, velocity, momentum=momentum, active=active)


def scaled_momentum_step(
    gradients: Gradients,
    parameters: Mapping[str, Tensor],
    weights: Variables,
    velocity: Variables,
    *,
    momentum: Tensor,
    active: Tensor,
) -> None:
    """Do the same with gradients that were multiplied by the rate before."""
    momentum = momentum * active + (1.0 - active)
    for name, gradient in gradients.items():
        moved = velocity[name].read_value() * momentum - gradient
        velocity[name].assign(moved)
        weights[name].assign(parameters[name] + moved * active)


def adam_step(
    gradients: Gradients,
    parameters: Mapping[str, Tensor],
    weights: Variables,
    first: Variables,
    second: Variables,
    powers: tf.Variable,
    *,
    rate: Tensor,
    scale: Tensor,
    active: Tensor,
) -> None:
    """Do one step of Adam (Kingma and Ba 2015, algorithm 1, in the order of the remark below it; ε as in Keras).

    Args:
        gradients: by parameter.
        parameters: the weights now.
        weights: receive the new weights.
        first: receive the running means of the gradient.
        second: receive the running means of its square.
        powers: ``(2,)``, β₁ᵗ and β₂ᵗ of the steps so far.
        rate: ``(1,)``, the learning rate.
        scale: ``(1,)``, the clipping factor.
        active: ``(1,)``, 0 for a batch without samples, which changes nothing; 1 otherwise.
    """
    decay_1, decay_2 = active * (1.0 - ADAM_BETA_1), active * (1.0 - ADAM_BETA_2)
    now = powers.read_value() * (1.0 - active * tf.constant((1.0 - ADAM_BETA_1, 1.0 - ADAM_BETA_2)))
    powers.assign(now)
    # The floor keeps 0 / 0 away when the first batch of all has no samples.
    rest = tf.maximum(1.0 - now, 1e-9)
    step = active * rate * tf.sqrt(tf.slice(rest, (1,), (1,))) / tf.slice(rest, (0,), (1,))
    for name, gradient in gradients.items():
        scaled = gradient * scale
        mean = first[name].read_value()
        mean = mean + (scaled - mean) * decay_1
        square = second[name].read_value()
        square = square + (scaled * scaled - square) * decay_2
        first[name].assign(mean)
        second[name].assign(square)
        weights[name].assign(parameters[name] - mean * step / (tf.sqrt(square) + ADAM_EPSILON))
