"""A fleet for tests that kill: the thing killed is a process of its own, the rest lives in the test's process.

The smallest fleet that has all there is to lose: two devices, two rounds, a batch of samples each.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from aggregator.service import Aggregator, RunSummary
from aggregator.settings import AggregatorSettings
from deploy.brokers import RunningBroker
from edge_client.device_folder import DeviceFolder
from edge_client.sample_store import SampleStore
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer, Workbench
from shared.crash_points import VARIABLE
from shared.dataset import Dataset
from shared.labels import label_set
from tflite_models.bundle import ModelBundle, builtin_bundle

DEADLINE_S = 100.0
ROUNDS = 2
NAMES = ("a", "b")
SAMPLES = 12
Event = dict[str, Any]

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


class Told:
    """What something says, event by event."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._news = threading.Condition()
        self._looked_at = 0
        self._over = False

    def say(self, event: Event) -> None:
        """Take an event in."""
        with self._news:
            self.all.append(event)
            self._news.notify_all()

    def close(self) -> None:
        """Nothing more will be said."""
        with self._news:
            self._over = True
            self._news.notify_all()

    def until(self, kind: str, **fields: Any) -> Event:
        """The next event of this kind with these fields, after the one that was waited for last."""
        deadline = time.monotonic() + DEADLINE_S
        with self._news:
            while True:
                while self._looked_at < len(self.all):
                    event = self.all[self._looked_at]
                    self._looked_at += 1
                    if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                        return event
                assert not self._over, f"it ended before {kind} {fields}: {self.all[-5:]}"
                assert self._news.wait(deadline - time.monotonic()), f"no {kind} {fields}: {self.all[-5:]}"

    def kinds(self) -> list[str]:
        """The kinds of all events so far."""
        with self._news:
            return [event["event"] for event in self.all]


class Process(Told):
    """An ``inkfleet`` command with ``--json``, as a process.

    Args:
        arguments: of ``inkfleet``.
        crash_at: where it is to end itself, see `shared.crash_points`.
        prefix: what the command is started by, such as ``unshare``.
    """

    def __init__(self, *arguments: object, crash_at: str | None = None, prefix: Sequence[str] = ()) -> None:
        super().__init__()
        environment = {key: value for key, value in os.environ.items() if not key.startswith("INKFLEET_")}
        if crash_at is not None:
            environment[VARIABLE] = crash_at
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", "-m", "deploy", *map(str, arguments), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.errors: list[str] = []
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.say(json.loads(line))
        self.close()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(line.rstrip("\n") for line in self.process.stderr)

    def end(self) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        code = self.process.wait(DEADLINE_S)
        for thread in self._threads:
            thread.join(DEADLINE_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def kill(self) -> None:
        """``kill -9``, unless it has ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def expect_crash(self) -> None:
        """Wait until it has ended itself at its crash point."""
        assert self.end() == -signal.SIGKILL, (self.errors, self.all[-3:])


class LocalDevice(Told):
    """A device of the test's own process."""

    def __init__(self, settings: DeviceSettings, *, trainer: Trainer, **more: Any) -> None:
        super().__init__()
        self.device = Device(
            settings, trainer=trainer, on_event=self.say, rng=np.random.default_rng(int(settings.name, 36)), **more
        )
        self.device.start()

    def stop(self) -> None:
        """Say goodbye."""
        self.device.stop()


class LocalAggregator(Told):
    """An aggregator on a thread of the test's own process."""

    def __init__(self, settings: AggregatorSettings, *, model: ModelBundle, **more: Any) -> None:
        super().__init__()
        self.settings = settings
        self.stopping = threading.Event()
        self._outcome: queue.Queue[RunSummary | Exception] = queue.Queue()
        self._aggregator = Aggregator(settings, model=model, test=None, on_event=self.say, **more)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome.put(self._aggregator.run(self.stopping))
        except Exception as error:
            self._outcome.put(error)
        finally:
            self.close()

    def end(self, *, within_s: float = DEADLINE_S) -> RunSummary:
        """Wait for the end of the run; raise what ended it."""
        outcome = self._outcome.get(timeout=within_s)
        self._thread.join(DEADLINE_S)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def stop(self) -> None:
        """End it."""
        self.stopping.set()
        self._thread.join(DEADLINE_S)


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


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    """One interpreter for all devices of a module's tests."""
    one = Trainer()
    yield one
    one.close()


@pytest.fixture(scope="module")
def make_fleet(
    mosquitto: RunningBroker, trainer: Trainer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Fleet]]:
    """Make fleets with a name of their own at the same broker."""
    made: list[Fleet] = []

    def make() -> Fleet:
        made.append(new_fleet(mosquitto, folder=tmp_path_factory.mktemp("fleet"), trainer=trainer))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def fleet(make_fleet: Callable[[], Fleet]) -> Iterator[Fleet]:
    """A fleet that is ended with the test."""
    one = make_fleet()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def undisturbed(make_fleet: Callable[[], Fleet]) -> str:
    """The hash of the weights that the fleet comes to when nobody disturbs it."""
    one = make_fleet()
    one.devices(*NAMES)
    summary = one.aggregator().end()
    one.stop()
    assert summary.finished
    return summary.weights_sha256
