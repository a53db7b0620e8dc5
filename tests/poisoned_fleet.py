"""A fleet in one process, some of whose devices attack: real handwriting stores, trainer, aggregation; no network.

Its weights are those that ``inkfleet simulate`` comes to with the same settings, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from aggregator.aggregation import Aggregation, InMemoryUpdates, Measurements
from aggregator.run import shapes_of
from aggregator.settings import AggregatorSettings
from deploy.simulate.attack import Attack
from deploy.simulate.hostile_trainer import HostileTrainer
from deploy.simulate.plan import SimulationPlan, choose_attackers
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.stores import fill_stores
from edge_client.device_folder import DeviceFolder
from edge_client.sample_store import SampleStore
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer
from edge_client.training_job import Trained, TrainingJob
from shared.dataset import Dataset
from shared.messages import BlobRef, ModelRef, RoundManifest
from shared.tensors import Tensors, decode_tensors, encode_tensors
from tflite_models.runtime.evaluation import evaluate
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import initial_weights

_HOLDOUT = DeviceSettings.model_fields["holdout"].default
_CHUNK = 1 << 16


@dataclass
class Trial:
    """What became of the fleet under one aggregation and one attack.

    Attributes:
        accuracies: of each round's weights on the test set, 0 to 1.
        measured: of each round.
        attackers: who attacked.
        weights: at the end.
    """

    attackers: frozenset[str]
    accuracies: list[float] = field(default_factory=list)
    measured: list[Measurements] = field(default_factory=list)
    weights: Tensors = field(default_factory=dict)


class PoisonedFleet:
    """The devices of a plan's first fleet; a context manager.

    Args:
        settings: rounds, training, seed; all devices train in every round.
        plan: what each device holds, and the test set.
        folder: for the devices' stores.
    """

    def __init__(self, settings: SimulationSettings, plan: SimulationPlan, *, folder: Path) -> None:
        self._settings = settings
        self._plan = plan
        self._fleet = plan.fleets[0]
        self._folder = folder
        self._honest = Trainer(threads=1)
        self._hostile: dict[Attack, HostileTrainer] = {}
        # The first round starts from the same weights in every trial, so that the same comes out.
        self._first_round: dict[tuple[str, str], Trained] = {}
        self._aggregator = AggregatorSettings(
            **{
                name: getattr(settings, name)
                for name in (
                    "rounds",
                    "local_epochs",
                    "batch_size",
                    "optimizer",
                    "lr",
                    "lr_schedule",
                    "augment",
                    "seed",
                )
            }
        )

    def __enter__(self) -> Self:
        fill_stores(self._folder, self._fleet.devices, source="simulation")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for trainer in (self._honest, *self._hostile.values()):
            trainer.close()

    def run(self, aggregation: Aggregation, *, attack: Attack | None = None) -> Trial:
        """Train all rounds.

        Args:
            aggregation: of the updates.
            attack: what the attackers do, whom the settings' share draws; None for a clean run.
        """
        model, settings = self._plan.bundle, self._settings
        trial = Trial(choose_attackers(settings) if attack else frozenset())
        reader: FrozenReader | None = None
        weights = initial_weights(model.manifest, seed=settings.seed)
        for number in range(1, settings.rounds + 1):
            data = encode_tensors(weights)
            updates = {}
            for device in self._fleet.devices:
                acts = attack if device.name in trial.attackers else None
                trained = self._train(device.name, number, data, acts)
                updates[device.name] = (decode_tensors(trained.blob, shapes=shapes_of(model)), trained.samples)
            aggregate = aggregation.combine(InMemoryUpdates(updates), base=weights)
            weights = aggregate.weights
            reader = FrozenReader(model, weights=weights)
            trial.measured.append(aggregate.measurements)
            trial.accuracies.append(self._accuracy(reader))
        trial.weights = weights
        return trial

    def _accuracy(self, reader: FrozenReader) -> float:
        test, labels = self._plan.test, self._plan.labels
        with np.errstate(all="ignore"):  # weights that were blown up read nothing, and may say so with infinities
            return evaluate(reader, test.images, labels.encode(test.labels.tolist())).accuracy

    def _train(self, device: str, number: int, data: bytes, attack: Attack | None) -> Trained:
        key = (device, str(attack))
        if number == 1 and key in self._first_round:
            return self._first_round[key]
        job = TrainingJob(
            device=device,
            manifest=self._manifest(number, data),
            model=lambda: self._plan.bundle,
            weights=lambda: data,
            split=lambda labels: self._split(device, labels),
        )
        done: Future[Trained] = self._trainer(attack).submit(job)
        trained = done.result()
        if number == 1:
            self._first_round[key] = trained
        return trained

    def _split(self, device: str, labels: Any) -> tuple[Dataset, Dataset]:
        with SampleStore.open(DeviceFolder(self._folder / device).samples, max_samples=0) as store:
            return store.split(holdout=_HOLDOUT, labels=labels)

    def _trainer(self, attack: Attack | None) -> Trainer:
        if attack is None:
            return self._honest
        return self._hostile.setdefault(attack, HostileTrainer(attack, threads=1))

    def _manifest(self, number: int, data: bytes) -> RoundManifest:
        model = self._plan.bundle
        blob: Callable[[bytes], BlobRef] = lambda part: BlobRef.of(part, chunk_bytes=_CHUNK)  # noqa: E731
        return RoundManifest(
            run="poisoned",
            round=number,
            rounds=self._settings.rounds,
            phase="open",
            invited=tuple(device.name for device in self._fleet.devices),
            quorum=len(self._fleet.devices),
            deadline_unix_s=2e9,
            model=ModelRef(
                name=model.manifest.name,
                manifest=blob(model.manifest_bytes),
                program=blob(model.program),
                reader=blob(model.reader),
            ),
            weights=blob(data),
            plan=self._aggregator.training_plan(round_number=number),
        )
