"""Watches the processes of a simulation from outside: memory, threads, descriptors, temporary files."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY_S = 2.0

WARM_UP = 0.3
"""The part of a process's life after which it is to have all that it needs."""

WINDOW = 0.2
"""The parts of what remains, first and last, whose medians are compared."""

LEAST_SAMPLES = 60
"""A process that was killed earlier shows nothing."""

UNFINISHED_SAMPLES = 30
"""A file that is seen half-written so often in a row was left behind."""

MOST_GROWTH = {"memory_bytes": 0.05, "threads": 0.0, "descriptors": 0.05}
"""By how much a process may hold more of each at its end than after its warm-up."""


@dataclass(frozen=True)
class Sample:
    """What a process held at a moment.

    Attributes:
        memory_bytes: pages that no file stands behind, swapped ones included. Pages of programs and libraries are left
            out: how many of them are a process's own changes with what other processes on the machine have loaded.
    """

    memory_bytes: int
    threads: int
    descriptors: int


@dataclass(frozen=True)
class Life:
    """A process over its life.

    Attributes:
        name: what it is; several processes may have been it, one after the other.
    """

    name: str
    samples: tuple[Sample, ...]

    def growth(self, what: str) -> float:
        """How much more it held at the end than after its warm-up, as a part of the latter."""
        values = [getattr(sample, what) for sample in self.samples[int(WARM_UP * len(self.samples)) :]]
        window = max(1, int(WINDOW * len(values)))
        before, after = statistics.median(values[:window]), statistics.median(values[-window:])
        return float(after / before - 1)

    def leaks(self) -> list[str]:
        """Say what grew beyond `MOST_GROWTH`; nothing, if nothing did."""
        grown = {what: self.growth(what) for what in MOST_GROWTH}
        return [f"{self.name}: {what} grew by {grown[what]:.1%}" for what in grown if grown[what] > MOST_GROWTH[what]]


class SoakWatch:
    """Samples a process and all below it.

    Args:
        root: the simulation.
        state: the folder in which it keeps what it needs while it runs.
    """

    def __init__(self, root: psutil.Process, *, state: Path) -> None:
        self._root = root
        self._state = state
        self._samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
        self._unfinished: dict[Path, int] = {}
        self.left_behind: set[Path] = set()
        """Files that were half-written for so long that nobody can have been writing them."""

    def run(self) -> None:
        """Sample until the simulation has ended."""
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            self.look()
            time.sleep(EVERY_S)

    def look(self) -> None:
        """Take one sample of every process, and of the files."""
        for process in (self._root, *self._root.children(recursive=True)):
            self._look_at(process)
        self._look_for_unfinished()

    def lives(self) -> list[Life]:
        """The processes that lived long enough to tell."""
        return [
            Life(name, tuple(samples)) for (name, _), samples in self._samples.items() if len(samples) >= LEAST_SAMPLES
        ]

    def _look_at(self, process: psutil.Process) -> None:
        try:
            name = _name(process.cmdline())
            if process.status() == psutil.STATUS_STOPPED:
                return
            sample = Sample(_own_memory_bytes(process.pid), process.num_threads(), process.num_fds())
        except (psutil.Error, OSError, KeyError):
            return  # it ended meanwhile
        self._samples[name, process.pid].append(sample)

    def _look_for_unfinished(self) -> None:
        self._unfinished = {path: self._unfinished.get(path, 0) + 1 for path in self._state.rglob("*.unfinished")}
        self.left_behind |= {path for path, times in self._unfinished.items() if times >= UNFINISHED_SAMPLES}


def _own_memory_bytes(pid: int) -> int:
    """Anonymous and swapped memory, as ``proc(5)`` has them under ``status``.

    Raises:
        OSError: the process is gone.
        KeyError: it has just ended, and has no memory any more.
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return 1024 * (int(kib["RssAnon"].split()[0]) + int(kib["VmSwap"].split()[0]))


def _name(words: list[str]) -> str:
    if "deploy.simulate.child" in words:
        call = words[words.index("deploy.simulate.child") + 2 :]
        return Path(call[1]).stem if call[0] == "worker" else call[0]
    return "broker" if words and Path(words[0]).name == "mosquitto" else "simulation"
