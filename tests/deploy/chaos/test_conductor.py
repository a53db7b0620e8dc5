"""Faults begin at their place in the run and end when their time is over."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.chaos.conductor import AGGREGATOR, Conductor
from deploy.chaos.line import Line
from deploy.chaos.schedule import KINDS, Fault, draw_schedule


class Written:
    """A stage that writes down what is done to it."""

    def __init__(self) -> None:
        self.acts: list[tuple[Any, ...]] = []

    def devices(self) -> tuple[str, ...]:
        return ("worker-1", "worker-2")

    def kill(self, name: str) -> None:
        self.acts.append(("kill", name))

    def start(self, name: str) -> None:
        self.acts.append(("start", name))

    def pause(self, name: str) -> None:
        self.acts.append(("pause", name))

    def unpause(self, name: str) -> None:
        self.acts.append(("unpause", name))

    def set_line(self, name: str, line: Line) -> None:
        self.acts.append(("line", name, line))

    def cut_line(self, name: str, *, reset: bool) -> None:
        self.acts.append(("cut", name))

    def freeze_line(self, name: str) -> None:
        self.acts.append(("freeze", name))

    def kill_broker(self) -> None:
        self.acts.append(("kill broker",))

    def revive_broker(self, *, remembering: bool) -> None:
        self.acts.append(("revive broker", remembering))


def fault(kind: str, *, at: float = 0.1, target: float = 0.9, lasts_s: float = 2.0) -> Fault:
    on = next(one.on for one in KINDS if one.name == kind)
    return Fault(at, kind, on, target, lasts_s, 0.5)


class Play:
    """A conductor, its stage and its clock."""

    def __init__(self, *faults: Fault) -> None:
        self.now = 0.0
        self.stage = Written()
        self.conductor = Conductor(faults, stage=self.stage, clock=lambda: self.now)

    def at(self, now: float, share: float) -> list[tuple[Any, ...]]:
        """What is done at a time, at a place of the run."""
        self.now, self.stage.acts = now, []
        self.conductor.tick(share)
        return self.stage.acts


def test_a_fault_begins_at_its_place_and_ends_after_its_time() -> None:
    """Not before the run has come there, however late it is; then for two seconds, whatever the run does."""
    play = Play(fault("device killed"))
    assert play.at(100.0, 0.09) == []
    assert play.at(100.1, 0.1) == [("kill", "worker-2")]
    assert play.at(102.0, 0.9) == []
    assert play.at(102.2, 0.9) == [("start", "worker-2")]
    assert play.conductor.done == {"device killed": 1}


def test_what_is_in_trouble_is_left_alone_until_that_is_over() -> None:
    """A process that is dead is not stopped; another thing's faults do not wait for it."""
    play = Play(
        fault("aggregator killed"), fault("aggregator stopped", at=0.11), fault("broker killed, memory kept", at=0.12)
    )
    assert play.at(0.0, 0.2) == [("kill", AGGREGATOR), ("kill broker",)]
    assert play.at(1.0, 0.2) == []
    assert play.at(2.0, 0.2) == [("start", AGGREGATOR), ("revive broker", True), ("pause", AGGREGATOR)]


def test_healing_ends_everything_and_nothing_more_comes() -> None:
    """At the end of a run nothing stays stopped, dead or cut."""
    play = Play(fault("device stopped"), fault("line slow", target=0.0), fault("line refusing", at=0.5))
    assert len(play.at(0.0, 0.2)) == 2
    play.stage.acts = []
    play.conductor.heal()
    assert play.stage.acts == [("unpause", "worker-2"), ("line", AGGREGATOR, Line())]
    assert play.at(50.0, 1.0) == []


def test_a_resumed_run_meets_what_is_ahead_of_it() -> None:
    """What belongs to the rounds that are done was done."""
    play = Play(fault("line cut", at=0.1), fault("line half-open", at=0.6))
    play.conductor.skip_to(0.5)
    assert play.at(0.0, 0.7) == [("freeze", "worker-2")]


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_can_be_done_and_undone(seed: int) -> None:
    """Whatever is drawn: what was begun is ended, each thing as often as it was begun."""
    play = Play(*draw_schedule(seed, faults=60))
    acts: list[tuple[Any, ...]] = []
    for second in range(600):
        acts += play.at(float(second), min(1.0, second / 100))
    assert sum(play.conductor.done.values()) == 60
    for begin, end in (("kill", "start"), ("pause", "unpause"), ("kill broker", "revive broker")):
        assert sum(act[0] == begin for act in acts) == sum(act[0] == end for act in acts) > 0
    lines = [act[2] for act in acts if act[0] == "line"]
    assert sum(line == Line() for line in lines) == sum(line != Line() for line in lines)
