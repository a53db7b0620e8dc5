"""A fleet for tests that kill: the thing killed is a process of its own, the rest lives in the test's process.

The smallest fleet that has all there is to lose: two devices, two rounds, a batch of samples each.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from aggregator.settings import AggregatorSettings
from deploy.brokers import RunningBroker
from edge_client.device_folder import DeviceFolder
from edge_client.sample_store import SampleStore
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer, Workbench
from shared.dataset import Dataset
from shared.labels import label_set
from tests.faults.fleet_parts import DEADLINE_S, LocalAggregator, LocalDevice, Process
from tflite_models.bundle import ModelBundle, builtin_bundle

ROUNDS = 2
NAMES = ("a", "b")
SAMPLES = 12

PLAN: dict[str, Any] = {
    "rounds": ROUNDS,
    "min_devices": len(NAMES),
    "local_epochs": 1,
    "lr": 0.02,
    "seed": 7,
    "gather_ms": 10,
    "grace_s": 60.0,
    "linger_s": 0.5,
}
"""What every aggregator here is started with: the same settings, the same weights in the end."""


def handwriting(count: int, *, seed: int = 0) -> Dataset:
    """Noise with labels: enough to be trained on and tested with."""
    rng = np.random.default_rng(seed)
    labels = np.array((list(label_set("arithmetic").labels) * count)[:count])
    return Dataset(rng.integers(0, 256, (count, 45, 45), np.uint8), labels, np.array([""] * count))


class _Held:
    """A training that takes as long as it is told to."""

    def __init__(self) -> None:
        self.stop = threading.Event()

    def run(self, workbench: Workbench) -> None:
        """Wait."""
        self.stop.wait(DEADLINE_S)


Part = TypeVar("Part", Process, LocalDevice, LocalAggregator)


class Fleet:
    """Starts the parts of one fleet; whatever runs after the test is ended."""

    def __init__(
        self,
        *,
        broker: RunningBroker,
        fleet: str,
        folder: Path,
        trainer: Trainer,
        model: ModelBundle,
        test_samples: int = 17,
    ) -> None:
        self.broker = broker
        self.fleet = fleet
        self.folder = folder
        self.trainer = trainer
        self.model = model
        self.run_folder = folder / "run"
        self._test_samples = test_samples
        self._started: list[Process | LocalDevice | LocalAggregator] = []

    def device_folder(self, name: str) -> DeviceFolder:
        """Where a device keeps what it has; its samples are put there the first time."""
        folder = DeviceFolder(self.folder / f"device-{name}")
        if not folder.samples.exists():
            with SampleStore.open(folder.samples) as store:
                store.add(handwriting(SAMPLES, seed=int(name, 36)), source="test")
        return folder

    def _device_options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "fleet": self.fleet,
            "broker": str(self.broker.address),
            "folder": self.device_folder(name).path,
            "page": False,
            "adopt": False,
            "holdout": 0.0,
        } | dict(options)

    @contextmanager
    def held_training(self) -> Iterator[None]:
        """Devices of this process that are to train wait until the block ends."""
        job = _Held()
        self.trainer.submit(job)
        try:
            yield
        finally:
            job.stop.set()

    def device(self, name: str, *, more: Mapping[str, Any] | None = None, **options: Any) -> LocalDevice:
        """Start a device in this process; ``more`` goes to `Device` itself."""
        settings = DeviceSettings(**self._device_options(name, options))
        return self._keep(LocalDevice(settings, trainer=self.trainer, **(more or {})))

    def devices(self, *names: str) -> list[LocalDevice]:
        """Start several."""
        return [self.device(name) for name in names]

    def device_process(
        self, name: str, *, crash_at: str | None = None, prefix: Sequence[str] = (), **options: Any
    ) -> Process:
        """Start a device as a process."""
        words = _words(self._device_options(name, options))
        return self._keep(Process("device", *words, crash_at=crash_at, prefix=prefix))

    def _aggregator_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        common = {"broker": str(self.broker.address), "fleet": self.fleet, "folder": self.run_folder}
        return common | PLAN | dict(options)

    def aggregator(self, *, more: Mapping[str, Any] | None = None, **options: Any) -> LocalAggregator:
        """Start an aggregator in this process, without a test set; ``more`` goes to `Aggregator` itself."""
        settings = AggregatorSettings(**self._aggregator_options(options))
        return self._keep(LocalAggregator(settings, model=self.model, **(more or {})))

    def aggregator_process(self, *, crash_at: str | None = None, prefix: Sequence[str] = (), **options: Any) -> Process:
        """Start an aggregator as a process, with a test set."""
        test = self.folder / "test.npz"
        if not test.exists():
            handwriting(self._test_samples).save(test)
        words = _words(self._aggregator_options({"test_data": test} | options))
        return self._keep(Process("aggregator", *words, crash_at=crash_at, prefix=prefix))

    def _keep(self, one: Part) -> Part:
        self._started.append(one)
        return one

    def stop(self) -> None:
        """End whatever runs, the devices first."""
        for one in sorted(self._started, key=lambda one: isinstance(one, LocalAggregator)):
            if isinstance(one, Process):
                one.kill()
            else:
                one.stop()


def _words(options: Mapping[str, Any]) -> list[str]:
    words = []
    for name, value in options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words


def new_fleet(broker: RunningBroker, *, folder: Path, trainer: Trainer) -> Fleet:
    """Make a fleet of a name that nobody else at the broker has."""
    name = f"fault-{secrets.token_hex(6)}"
    return Fleet(broker=broker, fleet=name, folder=folder, trainer=trainer, model=builtin_bundle("arithmetic"))
