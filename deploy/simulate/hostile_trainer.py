"""A device's trainer that attacks. The device around it is the product's own, and knows nothing of it."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from deploy.simulate.attack import Attack
from edge_client.trainer import Job, Trainer, Workbench
from edge_client.training_job import Trained, TrainingJob
from shared.dataset import Dataset
from shared.labels import LabelSet
from shared.tensors import Tensors, decode_tensors, encode_tensors


class HostileTrainer(Trainer):
    """A trainer whose trainings come out as the attack has it; everything else it does as it is told.

    Args:
        attack: what it does.
        threads: see `Trainer`.
    """

    def __init__(self, attack: Attack, *, threads: int = 1) -> None:
        super().__init__(threads=threads)
        self._attack = attack

    def submit(self, job: Job[Any]) -> Future[Any]:
        """Queue a job, poisoned if it is a training; see `Trainer.submit`."""
        asked: object = job
        return super().submit(PoisonedJob(asked, self._attack) if isinstance(asked, TrainingJob) else job)


@dataclass(frozen=True)
class PoisonedJob:
    """A device's training, and what an attacker makes of it."""

    job: TrainingJob
    attack: Attack

    @property
    def stop(self) -> threading.Event:
        """Ends the training."""
        return self.job.stop

    def run(self, workbench: Workbench) -> Trained:
        """Train, and return the poisoned weights; for the errors see `TrainingJob.run`."""
        job = self.job
        if self.attack.kind == "label-flip":
            job = replace(job, split=self._flipped_split)
        trained = job.run(workbench)
        shapes = {spec.name: tuple(spec.shape) for spec in job.model().manifest.parameters}
        base = decode_tensors(job.weights(), shapes=shapes)
        learnt = decode_tensors(trained.blob, shapes=shapes)
        return replace(trained, blob=encode_tensors(poisoned(base, learnt, factor=self.attack.factor)))

    def _flipped_split(self, labels: LabelSet) -> tuple[Dataset, Dataset]:
        training, held = self.job.split(labels)
        return flipped(training, labels), flipped(held, labels)


def flipped(dataset: Dataset, labels: LabelSet) -> Dataset:
    """Give every sample the label after its own, the last class the first one's: a permutation without fixed points.

    Args:
        dataset: with labels of the set alone.
        labels: the classes, in their order.
    """
    following = dict(zip(labels.labels, (*labels.labels[1:], labels.labels[0]), strict=True))
    return replace(dataset, labels=np.array([following[label] for label in dataset.labels.tolist()], np.str_))


def poisoned(base: Tensors, learnt: Tensors, *, factor: float) -> Tensors:
    """Return ``base + factor · (learnt - base)``, worked out in float64 and kept within what float32 can hold."""
    if factor == 1.0:
        return learnt
    most = float(np.finfo(np.float32).max)
    return {
        name: np.clip(before + factor * np.subtract(learnt[name], before, dtype=np.float64), -most, most).astype(
            np.float32
        )
        for name, before in base.items()
    }
