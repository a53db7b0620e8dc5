"""The training program in a LiteRT interpreter: batches go in, weights stay inside until they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError
from tflite_models.bundle import ModelBundle
from tflite_models.manifest import Manifest
from tflite_models.runtime.hyper import TrainHyper
from tflite_models.runtime.interpreter import open_interpreter
from tflite_models.runtime.weights import Weights, check_weights

Array = NDArray[Any]

STEP_NUMBERS = {
    "train": ("lr", "momentum"),
    "train_guarded": ("lr", "momentum", "clip_norm", "prox_mu"),
    "train_adam": ("lr", "clip_norm", "prox_mu"),
}
"""The hyper-parameters that each training signature takes, by the names of ``TrainHyper``."""


@dataclass(frozen=True, eq=False)
class BatchResult:
    """What one batch gave.

    Attributes:
        loss: the mean cross-entropy over the weights, in nats.
        correct: the sum of the weights of the samples answered correctly.
        predicted: ``(batch,) int32``, the most probable classes; None after a training step.
    """

    loss: float
    correct: float
    predicted: NDArray[np.int32] | None = None


class TrainingProgram:
    """One LiteRT interpreter with the training program of a model; not for use by two threads at once.

    Args:
        bundle: the model.
        threads: CPU threads of one step. With one, the same steps give the same weights bit for bit.

    Raises:
        ModelError: LiteRT cannot load the program.
    """

    def __init__(self, bundle: ModelBundle, *, threads: int = 1) -> None:
        self._manifest = bundle.manifest
        self._interpreter = open_interpreter(bundle.program, name=bundle.manifest.program.name, threads=threads)
        self._runners: dict[str, Any] = {}
        self._ready = False

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self._manifest

    def set_weights(self, weights: Weights) -> None:
        """Set the weights, which are also what the FedProx term pulls towards; the optimizer's state stays.

        Raises:
            ModelError: they are the weights of another model, or not finite.
        """
        checked = check_weights(self._manifest, weights)
        self._run("set_weights", {name: np.ascontiguousarray(array) for name, array in checked.items()})
        if not self._ready:
            self._run("reset_optimizer", {})
            self._ready = True

    def get_weights(self) -> Weights:
        """Return a copy of the weights.

        Raises:
            ModelError: none were set.
        """
        self._check_ready()
        outputs = self._run("get_weights", {})
        return {spec.name: outputs[spec.name] for spec in self._manifest.parameters}

    def reset_optimizer(self) -> None:
        """Forget velocities and running means, as at the start of a round."""
        self._run("reset_optimizer", {})

    def train_batch(
        self, x: Array, y: Array, weight: Array, *, hyper: TrainHyper, masks: Mapping[str, Array]
    ) -> BatchResult:
        """Do one training step.

        Args:
            x: ``(batch, 45, 45, 1) float32 in [0, 1]``.
            y: ``(batch,) int32``, true classes.
            weight: ``(batch,) float32``, how much each sample counts; 0 for padding. All 0 changes nothing.
            hyper: the optimizer and its numbers.
            masks: by dropout layer, 0 or ``1 / (1 - rate)``.

        Raises:
            ModelError: no weights were set, an array has another shape, or the model lacks this optimizer.
        """
        self._check_ready()
        if hyper.optimizer not in self._manifest.optimizers:
            raise ModelError(
                f"model {self._manifest.name!r} has no optimizer {hyper.optimizer!r}; "
                f"choose {', '.join(self._manifest.optimizers)}"
            )
        signature = training_signature(hyper)
        numbers = {name: np.array([getattr(hyper, name)], np.float32) for name in STEP_NUMBERS[signature]}
        outputs = self._run(signature, {**self._batch(x, y, weight), **self._masks(masks), **numbers})
        return BatchResult(float(outputs["loss"][0]), float(outputs["correct"][0]))

    def evaluate_batch(self, x: Array, y: Array, weight: Array) -> BatchResult:
        """Measure one batch without dropout and without a change; the arguments are those of ``train_batch``.

        Raises:
            ModelError: no weights were set, or an array has another shape.
        """
        self._check_ready()
        outputs = self._run("evaluate", self._batch(x, y, weight))
        return BatchResult(float(outputs["loss"][0]), float(outputs["correct"][0]), outputs["predicted"])

    def _batch(self, x: Array, y: Array, weight: Array) -> dict[str, Array]:
        batch = self._manifest.batch
        return {
            "x": _checked("x", x, (batch, *self._manifest.input_shape), np.float32),
            "y": _checked("y", y, (batch,), np.int32),
            "weight": _checked("weight", weight, (batch,), np.float32),
        }

    def _masks(self, masks: Mapping[str, Array]) -> dict[str, Array]:
        names = {mask.name for mask in self._manifest.masks}
        if set(masks) != names:
            raise ModelError(f"expected dropout masks for {sorted(names)}, got {sorted(masks)}")
        return {
            mask.name: _checked(mask.name, masks[mask.name], mask.shape, np.float32) for mask in self._manifest.masks
        }

    def _run(self, signature: str, inputs: dict[str, Array]) -> dict[str, Array]:
        try:
            runner = self._runners.get(signature)
            if runner is None:
                runner = self._runners[signature] = self._interpreter.get_signature_runner(signature)
            outputs: dict[str, Array] = runner(**inputs)
        except (ValueError, RuntimeError) as error:
            first = (str(error).strip().splitlines() or ["no reason given"])[0]
            raise ModelError(f"model {self._manifest.name!r}: {signature} failed in LiteRT: {first}") from error
        return outputs

    def _check_ready(self) -> None:
        if not self._ready:
            raise ModelError(f"model {self._manifest.name!r} has no weights yet; call set_weights first")


def training_signature(hyper: TrainHyper) -> str:
    """Name the signature that does a step: without clipping and FedProx term, descent has a faster one."""
    if hyper.optimizer == "adam":
        return "train_adam"
    return "train_guarded" if hyper.clip_norm or hyper.prox_mu else "train"


def _checked(name: str, array: Array, shape: tuple[int, ...], dtype: type) -> Array:
    # A batch of another size would make XNNPACK fail with "failed to reshape runtime".
    if array.shape != shape or array.dtype != dtype:
        raise ModelError(
            f"{name}: expected {np.dtype(dtype)} of shape {shape}, got {array.dtype} of shape {array.shape}"
        )
    return np.ascontiguousarray(array)
