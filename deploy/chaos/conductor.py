"""Carries out the faults of a run when the run has come to their places, and ends them when their time is over."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from deploy.chaos.line import Line
from deploy.chaos.schedule import AGGREGATOR_LINE_SHARE, Fault

AGGREGATOR = "aggregator"


class Stage(Protocol):
    """What faults are done to: a fleet's processes, their lines, and its broker."""

    def devices(self) -> tuple[str, ...]:
        """The names of the processes that host devices."""

    def kill(self, name: str) -> None:
        """Kill a process: a device's, or the aggregator's."""

    def start(self, name: str) -> None:
        """Start it again; it goes on where it was."""

    def pause(self, name: str) -> None:
        """Stop a process (SIGSTOP)."""

    def unpause(self, name: str) -> None:
        """Let it go on (SIGCONT)."""

    def set_line(self, name: str, line: Line) -> None:
        """Change what is wrong with a process's line to the broker."""

    def cut_line(self, name: str, *, reset: bool) -> None:
        """End the connections of a process."""

    def freeze_line(self, name: str) -> None:
        """Have the connections of a process carry nothing any more, and stay open."""

    def kill_broker(self) -> None:
        """Kill the broker."""

    def revive_broker(self, *, remembering: bool) -> None:
        """Start it again, with or without what it retained."""


def repeated_by_somebody(topic: str) -> bool:
    """What a broker with a full queue may lose: all but the aggregator's presence, said once and kept by the broker."""
    return not topic.endswith("/server/state")


@dataclass(frozen=True)
class _Underway:
    fault: Fault
    name: str
    ends_at: float


class Conductor:
    """Does the faults of a schedule to a stage. Call `tick` often; `heal` at the end.

    Faults on different things overlap. What is due for a thing that has its trouble already waits until that is over.

    Args:
        schedule: the faults, in order.
        stage: what they are done to.
        clock: seconds, never running backwards.
        on_fault: told each fault that begins, and on what.
    """

    def __init__(
        self,
        schedule: Iterable[Fault],
        *,
        stage: Stage,
        clock: Callable[[], float],
        on_fault: Callable[[Fault, str], None] = lambda fault, name: None,
    ) -> None:
        self._ahead = deque(schedule)
        self._stage = stage
        self._clock = clock
        self._on_fault = on_fault
        self._due: deque[Fault] = deque()
        # What is in trouble → the trouble: "process NAME", "line NAME" or "broker".
        self._underway: dict[str, _Underway] = {}
        self.done: Counter[str] = Counter()
        """How many faults of each kind have begun."""

    def skip_to(self, share: float) -> None:
        """Leave out what belongs before this place: it was done when the run came by there."""
        while self._ahead and self._ahead[0].at <= share:
            self._ahead.popleft()

    def tick(self, share: float) -> None:
        """End what is over, and begin what is due.

        Args:
            share: how much of the run is done, 0 to 1.
        """
        now = self._clock()
        for thing in [thing for thing, one in self._underway.items() if now >= one.ends_at]:
            self._end(self._underway.pop(thing))
        while self._ahead and self._ahead[0].at <= share:
            self._due.append(self._ahead.popleft())
        for _ in range(len(self._due)):
            fault = self._due.popleft()
            name = self._name(fault)
            thing = _thing(fault, name)
            if thing in self._underway:
                self._due.append(fault)
                continue
            self.done[fault.kind] += 1
            self._on_fault(fault, name)
            self._begin(fault, name)
            self._underway[thing] = _Underway(fault, name, now + fault.lasts_s)

    def heal(self) -> None:
        """End everything that is under way; what is still ahead will not come."""
        self._ahead.clear()
        self._due.clear()
        for thing in list(self._underway):
            self._end(self._underway.pop(thing))

    def _name(self, fault: Fault) -> str:
        if fault.on in (AGGREGATOR, "broker"):
            return fault.on
        target = fault.target
        if fault.on == "line":
            if target < AGGREGATOR_LINE_SHARE:
                return AGGREGATOR
            target = (target - AGGREGATOR_LINE_SHARE) / (1 - AGGREGATOR_LINE_SHARE)
        devices = self._stage.devices()
        return devices[min(int(target * len(devices)), len(devices) - 1)]

    def _begin(self, fault: Fault, name: str) -> None:
        stage, kind = self._stage, fault.kind
        if kind.endswith(" killed"):
            stage.kill(name)
        elif kind.endswith(" stopped"):
            stage.pause(name)
        elif fault.on == "broker":
            stage.kill_broker()
        elif kind == "line cut":
            stage.cut_line(name, reset=fault.strength < 0.5)
        elif kind == "line half-open":
            stage.freeze_line(name)
        else:
            stage.set_line(name, bad_line(fault))
            if kind == "line refusing":
                stage.cut_line(name, reset=True)

    def _end(self, underway: _Underway) -> None:
        stage, fault, name = self._stage, underway.fault, underway.name
        if fault.kind.endswith(" killed"):
            stage.start(name)
        elif fault.kind.endswith(" stopped"):
            stage.unpause(name)
        elif fault.on == "broker":
            stage.revive_broker(remembering=fault.kind.endswith("kept"))
        elif fault.kind not in ("line cut", "line half-open"):
            stage.set_line(name, Line())


def bad_line(fault: Fault) -> Line:
    """Return what is wrong with the line during a fault."""
    share, strength = 0.02 + 0.2 * fault.strength, fault.strength
    lines = {
        "line refusing": Line(refusing=True),
        "line dropping every few seconds": Line(cut_every_s=1.5 + 3.5 * strength),
        "line half-open, up": Line(stalled=frozenset(("up",))),
        "line half-open, down": Line(stalled=frozenset(("down",))),
        "line slow": Line(kbit_s=256 + 2000 * strength),
        "packets dropped": Line(drop=share, touches=repeated_by_somebody),
        "packets lost": Line(lose=share, touches=repeated_by_somebody),
        "packets repeated": Line(repeat=share, touches=repeated_by_somebody),
        "packets reordered": Line(reorder=share, touches=repeated_by_somebody),
    }
    return lines[fault.kind]


def _thing(fault: Fault, name: str) -> str:
    if fault.on == "broker":
        return "broker"
    return f"{'line' if fault.on == 'line' else 'process'} {name}"
