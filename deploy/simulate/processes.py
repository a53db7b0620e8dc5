"""The processes of a simulation: started in groups of their own, watched, and ended in order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.simulate.child import command
from shared.errors import (
    BrokerError,
    DataError,
    InkfleetError,
    ModelError,
    ProtocolError,
    RunError,
    SettingsError,
    StorageError,
)

GRACE_S = 8.0
"""How long a process may take to end when asked, before it is killed."""

_LOOK_S = 0.02
_LOG_TAIL_BYTES = 8192
_KINDS = (SettingsError, DataError, ModelError, BrokerError, ProtocolError, StorageError, RunError)

_FOREIGN = ("INKFLEET_AGGREGATOR_", "INKFLEET_DEVICE_", "INKFLEET_SIMULATE_")
"""Variables that are for commands a person starts, and would change what the children do."""


@dataclass
class Child:
    """A process that the simulation started.

    Attributes:
        name: for people: ``aggregator``, ``device-003``.
        process: the process; it leads a group of its own.
        log: what it writes on stderr.
    """

    name: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def stdout(self) -> IO[str] | None:
        """Its output, if it was asked for."""
        return self.process.stdout

    def last_line(self) -> str:
        """Return the last line of its log, without the name of the command before it."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1].strip().removeprefix("inkfleet: ") if lines else "it said nothing"

    def failure(self) -> InkfleetError:
        """Say how it ended, as the error that its exit code stands for."""
        code = self.process.returncode
        kind = next((kind for kind in _KINDS if kind.exit_code == code), RunError)
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in signal.Signals._value2member_map_ else str(-code)
            return RunError(f"{self.name} was ended by {name}; its last words: {self.last_line()}")
        return kind(f"{self.name}: {self.last_line()} (exit {code})")


class Processes:
    """The children of one run. A context manager: leaving it, however, ends all of them.

    Args:
        logs: the folder for their logs.
        environment: variables they get beside ours.
    """

    def __init__(self, logs: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._logs = logs
        self._environment = dict(environment or {})
        self._children: list[Child] = []

    def start(self, name: str, arguments: Sequence[str], *, output: bool = False) -> Child:
        """Start a child.

        Call it from the main thread: on Linux a child dies with the thread that started it.

        Args:
            name: for people, and for its log's file name.
            arguments: the command, without ``inkfleet``.
            output: whether its stdout is read here; otherwise it goes to the log.

        Raises:
            StorageError: the log cannot be written, or the system starts no more processes.
        """
        log = self._logs / f"{name}.log"
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                process = subprocess.Popen(
                    command(*arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE if output else file,
                    stderr=file,
                    text=True,
                    env=_environment() | self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise StorageError(f"cannot start {name}: {error.strerror or error} ({log})") from None
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def ended(self) -> list[Child]:
        """Return the children that have ended, in the order they were started."""
        return [child for child in self._children if child.process.poll() is not None]

    def stop(self, children: Iterable[Child] | None = None, *, grace_s: float = GRACE_S) -> None:
        """Ask children to end, wait, and kill those that do not.

        Args:
            children: these, asked in this order; all of them if None.
            grace_s: how long they have together.
        """
        asked = list(self._children if children is None else children)
        for child in asked:
            if child.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.terminate()
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and any(child.process.poll() is None for child in asked):
            time.sleep(_LOOK_S)
        for child in asked:
            _kill_group(child)
            self._forget(child)

    def kill_one(self, child: Child) -> None:
        """End a child at once, and know nothing of it any more."""
        _kill_group(child)
        self._forget(child)

    def kill(self) -> None:
        """End every child at once."""
        for child in list(self._children):
            _kill_group(child)
            self._forget(child)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.kill()

    def _forget(self, child: Child) -> None:
        if child.process.stdout is not None:
            child.process.stdout.close()
        with contextlib.suppress(ValueError):
            self._children.remove(child)


def _kill_group(child: Child) -> None:
    """Kill a child and whatever it started; nothing happens where nobody is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    # Many processes on few cores: threads of the numeric libraries would only stand in each other's way.
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
