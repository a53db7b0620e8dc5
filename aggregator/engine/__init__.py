"""The round engine: what a run does next, decided without I/O.

Events and the clock go in (`aggregator.engine.events`), effects come out (`aggregator.engine.effects`). The aggregator
carries the effects out; a test only looks at them. Phases of a run::

    gathering → collecting → aggregating → committing → gathering …  → finished
        ↑___________|  too few updates: the round is opened again        failed (from anywhere that waits)
"""

from aggregator.engine.effects import (
    Aggregate,
    Commit,
    Counted,
    Effect,
    Evaluate,
    Excused,
    Fail,
    Finish,
    PublishRound,
    Refused,
    Wait,
)
from aggregator.engine.events import (
    Aggregated,
    Committed,
    DeviceDeclined,
    DeviceExpelled,
    DeviceGone,
    DeviceSeen,
    Event,
    Started,
    Tick,
    UpdateAccepted,
)
from aggregator.engine.machine import RoundEngine
from aggregator.engine.state import Contribution, OpenRound, Rest, ResumePoint, RoundView, RunPlan

__all__ = [
    "Aggregate",
    "Aggregated",
    "Commit",
    "Committed",
    "Contribution",
    "Counted",
    "DeviceDeclined",
    "DeviceExpelled",
    "DeviceGone",
    "DeviceSeen",
    "Effect",
    "Evaluate",
    "Event",
    "Excused",
    "Fail",
    "Finish",
    "OpenRound",
    "PublishRound",
    "Refused",
    "Rest",
    "ResumePoint",
    "RoundEngine",
    "RoundView",
    "RunPlan",
    "Started",
    "Tick",
    "UpdateAccepted",
    "Wait",
]
