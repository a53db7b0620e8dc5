"""The parts of a fleet for tests that kill: a process of its own, or a thread of the test's, and what it says."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from aggregator.service import Aggregator, RunSummary
from aggregator.settings import AggregatorSettings
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer
from shared.crash_points import VARIABLE
from tflite_models.bundle import ModelBundle

DEADLINE_S = 100.0
Event = dict[str, Any]


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
