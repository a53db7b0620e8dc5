"""A broker that can be killed, and started again where it was."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from deploy.brokers import RunningBroker, start_broker

_DATABASE = "mosquitto.db"


class MortalBroker(RunningBroker):
    """A broker of our own; a context manager that ends it.

    A Mosquitto writes down what it retains after every change, so that it can be started again with its memory or
    without; the embedded broker has none.

    Args:
        choice: ``auto``, ``embedded`` or ``mosquitto``.
        folder: where its configuration, its log and its memory go.
        settings: of Mosquitto, see `deploy.brokers.mosquitto.configure`.

    Raises:
        BrokerError: it cannot be started.
    """

    def __init__(self, choice: str, *, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._settings = {
            "persistence": "true",
            "persistence_location": f"{folder.absolute()}/",
            "autosave_interval": "1",
            "autosave_on_changes": "true",
        } | (settings or {})
        self._down = False
        running = start_broker(choice, folder=folder, settings=self._settings)
        super().__init__(running.address, kind=running.kind, log=running.log, process=running._process)

    @property
    def remembers(self) -> bool:
        """Whether this kind of broker can be started again with what it retained."""
        return self.kind == "mosquitto"

    def kill(self) -> None:
        """Kill it as ``kill -9`` does; whoever asks is not told that it ended."""
        assert self._process is not None
        self._down = True
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def revive(self, *, remembering: bool) -> None:
        """Start it again, with or without what it retained; returns when it answers.

        Raises:
            BrokerError: it does not start.
        """
        if not remembering:
            (self._folder / _DATABASE).unlink(missing_ok=True)
        running = start_broker(self.kind, folder=self._folder, port=self.address.port, settings=self._settings)
        self._process, self._down = running._process, False

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for it to end by itself; what was done on purpose does not count."""
        return None if self._down else super().wait(timeout_s)
