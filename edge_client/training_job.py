"""What a round asks of a device's trainer: new weights from the global ones, and how good both are."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge_client.trainer import Workbench
from shared.dataset import Dataset
from shared.errors import ModelError, RunError
from shared.labels import LabelSet
from shared.messages import LocalMetrics, ModelRef, RoundManifest, Score
from shared.tensors import decode_tensors, encode_tensors

if TYPE_CHECKING:
    from tflite_models.bundle import ModelBundle
    from tflite_models.manifest import Manifest
    from tflite_models.runtime.evaluation import Evaluation
    from tflite_models.runtime.program import TrainingProgram
    from tflite_models.runtime.weights import Weights

Split = Callable[[LabelSet], tuple[Dataset, Dataset]]
"""Gives the samples to train on and those held out, of these labels alone."""

Held = Callable[[LabelSet], Dataset]
"""Gives the samples held out, of these labels alone."""


@dataclass(frozen=True)
class Trained:
    """What came out of a training.

    Attributes:
        blob: the new weights, a safetensors file.
        samples: how many samples they were trained on, once each.
        metrics: without ``fetch_s``.
    """

    blob: bytes
    samples: int
    metrics: LocalMetrics


@dataclass(frozen=True)
class TrainingJob:
    """One device's training in one round. Samples and weights are read when its turn has come, not before.

    Attributes:
        device: the device's name; with the plan's seed and the round it seeds the generator.
        manifest: the round.
        model: loads the model.
        weights: reads the global weights' safetensors file.
        split: gives the samples.
        on_batch: told ``(batches done, batches in all)``, on the trainer's thread.
        stop: ends the training at the next batch.
        clock: Unix time in seconds.
    """

    device: str
    manifest: RoundManifest
    model: Callable[[], ModelBundle]
    weights: Callable[[], bytes]
    split: Split
    on_batch: Callable[[int, int], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.time

    def run(self, workbench: Workbench) -> Trained:
        """Train.

        Raises:
            RunError: the plan cannot be carried out here: the batches are larger than the model's, the optimizer is
                not in the program, or no sample has one of its labels.
            ProtocolError, ModelError: the weights are not the model's, or the training diverged.
            TrainingStopped: ``stop`` was set.
        """
        from tflite_models.runtime.training import TrainHyper, train
        from tflite_models.runtime.weights import check_weights

        started, begun = self.clock(), time.perf_counter()
        plan = self.manifest.plan
        program, model = _program(workbench, self.manifest.model, self.model)
        if plan.batch_size > model.batch:
            raise RunError(
                f"the round asks for batches of {plan.batch_size} samples, model {model.name!r} takes {model.batch} "
                f"at most: run the aggregator with --batch-size {model.batch} or less"
            )
        if plan.optimizer not in model.optimizers:
            raise RunError(
                f"the round asks for optimizer {plan.optimizer!r}, model {model.name!r} has "
                f"{', '.join(model.optimizers)}: run the aggregator with one of them"
            )
        labels = model.label_set_object()
        training, held = self.split(labels)
        if len(training) == 0:
            raise RunError(f"no sample here has one of the {len(labels)} labels of model {model.name!r}")
        program.set_weights(_weights(self.weights(), model))
        program.reset_optimizer()
        before = score(program, held, labels)
        samples, classes = len(training), labels.encode(training.labels.tolist())
        # Handed over and not kept: a full store is 40 MB, which training does without once it has found the ink.
        images = [training.images]
        del training
        result = train(
            program,
            images.pop(),
            classes,
            hyper=TrainHyper(
                optimizer=plan.optimizer,
                lr=plan.lr,
                momentum=plan.momentum,
                clip_norm=plan.clip_norm,
                prox_mu=plan.prox_mu,
            ),
            epochs=plan.local_epochs,
            batch_size=plan.batch_size,
            augment=plan.augment,
            balance=plan.balance,
            rng=device_generator(seed=plan.seed, round_number=self.manifest.round, device=self.device),
            on_batch=self.on_batch,
            should_stop=self.stop.is_set,
        )
        after = score(program, held, labels)
        metrics = LocalMetrics(
            train=Score(loss=result.loss, accuracy=result.accuracy, samples=result.samples),
            holdout_before=before,
            holdout_after=after,
            train_s=time.perf_counter() - begun,
            train_started_unix_s=started,
            train_ended_unix_s=self.clock(),
        )
        # The last step may have blown up without a loss that shows it.
        weights = check_weights(model, program.get_weights())
        return Trained(encode_tensors(weights), samples, metrics)


@dataclass(frozen=True)
class Checked:
    """What a check found: the scores, None where there was nothing to score, and how many classes the model has."""

    new: Score | None
    others: Score | None
    classes: int


@dataclass(frozen=True)
class CheckJob:
    """Reads the hold-out with weights, and with others to compare them with.

    Attributes:
        model_ref: the model of the first weights.
        model: loads it.
        weights: reads the first weights' safetensors file.
        others: reads weights of the same model, if there are any.
        held: gives the samples held out, of these labels alone.
    """

    model_ref: ModelRef
    model: Callable[[], ModelBundle]
    weights: Callable[[], bytes]
    others: Callable[[], bytes | None]
    held: Held
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, workbench: Workbench) -> Checked:
        """Score them.

        Raises:
            ProtocolError, ModelError: the first weights are not the model's.
        """
        program, model = _program(workbench, self.model_ref, self.model)
        labels = model.label_set_object()
        held = self.held(labels)
        program.set_weights(_weights(self.weights(), model))
        first = score(program, held, labels)
        others = self.others()
        if others is None or first is None:
            return Checked(first, None, len(labels))
        program.set_weights(_weights(others, model))
        return Checked(first, score(program, held, labels), len(labels))


def device_generator(*, seed: int, round_number: int, device: str) -> np.random.Generator:
    """Return the generator of one device in one round: the same wherever and whenever it runs.

    Seeded with the plan's seed, the round and the SHA-256 of the device's name as eight 32-bit words.
    """
    digest = hashlib.sha256(device.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4)]
    return np.random.default_rng(np.random.SeedSequence([seed, round_number, *words]))


def score(program: TrainingProgram, held: Dataset, labels: LabelSet) -> Score | None:
    """Return how well a program's weights read these samples; None where there are none.

    Raises:
        ModelError: the weights are so far off that their loss is no number.
    """
    from tflite_models.runtime.evaluation import evaluate

    if len(held) == 0:
        return None
    found: Evaluation = evaluate(program, held.images, labels.encode(held.labels.tolist()))
    if not math.isfinite(found.loss):
        raise ModelError(
            f"the weights read the {len(held):,} samples held out with a loss of {found.loss}: they have diverged; "
            "train with a lower learning rate, or clip the gradients"
        )
    return Score(loss=found.loss, accuracy=found.accuracy, samples=found.samples)


def _program(workbench: Workbench, ref: ModelRef, load: Callable[[], ModelBundle]) -> tuple[TrainingProgram, Manifest]:
    program = workbench.program(ref.manifest.sha256, load)
    return program, program.manifest


def _weights(blob: bytes, model: Manifest) -> Weights:
    return decode_tensors(blob, shapes={spec.name: spec.shape for spec in model.parameters})
