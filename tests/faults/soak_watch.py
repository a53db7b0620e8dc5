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


@dataclass(frozen=True)
class Sample:
    """What a process held at a moment.

    Attributes:
        memory_bytes: its own, not shared with others (USS).
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
        self.most_unfinished = 0
        """The most files that were being written, or were left behind half-written, at any moment."""

    def run(self) -> None:
        """Sample until the simulation has ended."""
        while self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE:
            for process in (self._root, *self._root.children(recursive=True)):
                self._look_at(process)
            self.most_unfinished = max(self.most_unfinished, sum(1 for _ in self._state.rglob("*.unfinished")))
            time.sleep(EVERY_S)

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
            memory = process.memory_full_info().uss
            self._samples[name, process.pid].append(Sample(memory, process.num_threads(), process.num_fds()))
        except psutil.Error:
            return  # it ended meanwhile


def _name(words: list[str]) -> str:
    if "deploy.simulate.child" in words:
        call = words[words.index("deploy.simulate.child") + 2 :]
        return Path(call[1]).stem if call[0] == "worker" else call[0]
    return "broker" if any("mosquitto" in word for word in words) else "simulation"
