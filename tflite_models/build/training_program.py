"""The training program: the network, its gradient and its optimizers on variables, behind named signatures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tflite_models.architecture import Architecture
from tflite_models.build.block import Gradients, Tensor, positive, stored_shape
from tflite_models.build.network import Loss, Network
from tflite_models.build.optimizers import adam_step, add_proximal, clip_scale, momentum_step, scaled_momentum_step

OPTIMIZERS = ("sgd", "adam")

Outputs = dict[str, Tensor]


class TrainingProgram(tf.Module):  # type: ignore[misc]
    """Variables and the functions on them that become the signatures of the program.

    No input and no output has rank 0: a scalar crashes LiteRT on aarch64 when it sizes its inputs.
    """

    def __init__(self, architecture: Architecture, *, batch: int) -> None:
        super().__init__(name="program")
        self._architecture = architecture
        self._batch = batch
        self._network = Network(architecture)
        self._weights = self._variables("w")
        self._anchor = self._variables("anchor")
        self._velocity = self._variables("velocity")
        self._first = self._variables("first")
        self._second = self._variables("second")
        self._powers = tf.Variable(tf.zeros((2,)), name="powers")

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names of their signatures."""
        return {
            "train": self._function(self._train_plain, ("lr", "momentum"), masks=True),
            "train_guarded": self._function(
                self._train_momentum, ("lr", "momentum", "clip_norm", "prox_mu"), masks=True
            ),
            "train_adam": self._function(self._train_adam, ("lr", "clip_norm", "prox_mu"), masks=True),
            "evaluate": self._function(self._evaluate, (), masks=False),
            "set_weights": self._set_weights_function(),
            "get_weights": _traced(self._get_weights, []),
            "reset_optimizer": _traced(self._reset_optimizer, []),
        }

    def _variables(self, prefix: str) -> dict[str, tf.Variable]:
        return {
            spec.name: tf.Variable(tf.zeros(stored_shape(spec.shape)), name=f"{prefix}.{spec.name}")
            for spec in self._architecture.parameters()
        }

    def _function(self, body: Callable[..., Outputs], scalars: tuple[str, ...], *, masks: bool) -> Any:
        batch = self._batch
        specs = {
            "x": tf.TensorSpec((batch, *self._architecture.input_shape), tf.float32, name="x"),
            "y": tf.TensorSpec((batch,), tf.int32, name="y"),
            "weight": tf.TensorSpec((batch,), tf.float32, name="weight"),
        }
        specs |= {name: tf.TensorSpec((1,), tf.float32, name=name) for name in scalars}
        if masks:
            specs |= {
                mask.name: tf.TensorSpec(mask.shape, tf.float32, name=mask.name)
                for mask in self._architecture.masks(batch=batch)
            }
        names = list(specs)

        def call(*values: Tensor) -> Outputs:
            return body(dict(zip(names, values, strict=True)))

        return _traced(call, list(specs.values()))

    def _read(self) -> dict[str, Tensor]:
        return {name: variable.read_value() for name, variable in self._weights.items()}

    def _gradients(self, inputs: dict[str, Tensor]) -> tuple[dict[str, Tensor], Loss, Gradients, Tensor, Tensor]:
        parameters = self._read()
        outcome, gradients = self._network.gradients(
            inputs["x"], inputs["y"], inputs["weight"], parameters, self._masks(inputs)
        )
        gradients = add_proximal(gradients, parameters, self._anchor, inputs["prox_mu"])
        scale = clip_scale(gradients, inputs["clip_norm"])
        return parameters, outcome, gradients, scale, _active(inputs)

    def _masks(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {mask.name: inputs[mask.name] for mask in self._architecture.masks(batch=self._batch)}

    def _train_plain(self, inputs: dict[str, Tensor]) -> Outputs:
        """Train without clipping and without the FedProx term, which take passes over every weight."""
        parameters, active = self._read(), _active(inputs)
        outcome, scaled = self._network.gradients(
            inputs["x"],
            inputs["y"],
            inputs["weight"],
            parameters,
            self._masks(inputs),
            rate=inputs["lr"] * active,
        )
        scaled_momentum_step(
            scaled, parameters, self._weights, self._velocity, momentum=inputs["momentum"], active=active
        )
        return {"loss": outcome.loss, "correct": outcome.correct}

    def _train_momentum(self, inputs: dict[str, Tensor]) -> Outputs:
        parameters, outcome, gradients, scale, active = self._gradients(inputs)
        momentum_step(
            gradients,
            parameters,
            self._weights,
            self._velocity,
            rate=inputs["lr"] * scale,
            momentum=inputs["momentum"],
            active=active,
        )
        return {"loss": outcome.loss, "correct": outcome.correct}

    def _train_adam(self, inputs: dict[str, Tensor]) -> Outputs:
        parameters, outcome, gradients, scale, active = self._gradients(inputs)
        adam_step(
            gradients,
            parameters,
            self._weights,
            self._first,
            self._second,
            self._powers,
            rate=inputs["lr"],
            scale=scale,
            active=active,
        )
        return {"loss": outcome.loss, "correct": outcome.correct}

    def _evaluate(self, inputs: dict[str, Tensor]) -> Outputs:
        outcome = self._network.loss(inputs["x"], inputs["y"], inputs["weight"], self._read())
        return {"loss": outcome.loss, "correct": outcome.correct, "predicted": outcome.predicted}

    def _set_weights_function(self) -> Any:
        names = [spec.name for spec in self._architecture.parameters()]
        specs = [tf.TensorSpec(spec.shape, tf.float32, name=spec.name) for spec in self._architecture.parameters()]

        def set_weights(*values: Tensor) -> Outputs:
            for name, value in zip(names, values, strict=True):
                stored = tf.reshape(value, stored_shape(tuple(value.shape)))
                self._weights[name].assign(stored)
                self._anchor[name].assign(stored)
            return {"done": tf.slice(tf.reshape(values[-1], (-1,)), (0,), (1,))}

        return _traced(set_weights, specs)

    def _get_weights(self) -> Outputs:
        weights = self._read()
        return {spec.name: tf.reshape(weights[spec.name], spec.shape) for spec in self._architecture.parameters()}

    def _reset_optimizer(self) -> Outputs:
        self._powers.assign(tf.ones((2,)))
        # Zeros computed from a variable, because constant ones would lie in the file at full size.
        zero = tf.slice(self._powers.read_value(), (0,), (1,)) * 0.0
        for group in (self._velocity, self._first, self._second):
            for variable in group.values():
                variable.assign(tf.broadcast_to(zero, variable.shape))
        return {"done": zero + 1.0}


def _active(inputs: dict[str, Tensor]) -> Tensor:
    return positive(tf.reduce_sum(inputs["weight"], axis=0, keepdims=True))


def _traced(function: Callable[..., Outputs], specs: list[Any]) -> Any:
    # There is no Python control flow on tensors here, and AutoGraph would read every line of it for seconds.
    return tf.function(function, input_signature=specs, autograph=False)
