"""What the round engine asks for. Effects are carried out in the order given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aggregator.engine.state import Contribution, Rest


@dataclass(frozen=True)
class PublishRound:
    """Record the round, and tell the fleet.

    Attributes:
        deadline: on the engine's clock, in seconds.
        roster: the devices that are there now.
    """

    round: int
    attempt: int
    phase: Literal["open", "closed", "finished"]
    invited: tuple[str, ...]
    quorum: int
    deadline: float
    roster: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counted:
    """Record the contribution, then tell its device ``accepted``."""

    round: int
    contribution: Contribution
    received: int
    of: int


@dataclass(frozen=True)
class Refused:
    """Tell the device that its update does not count."""

    round: int
    device: str
    sha256: str
    verdict: Literal["duplicate", "stale", "rejected"]
    reason: str


@dataclass(frozen=True)
class Excused:
    """Tell a person that this attempt at the round no longer waits for the device."""

    round: int
    attempt: int
    device: str
    reason: str


@dataclass(frozen=True)
class Aggregate:
    """Record that the round is closed, and average these contributions; they are in the order of the devices' names.

    Attributes:
        rests: of all devices that failed last, as they are from now on; recorded with the closing, in one.
    """

    round: int
    contributions: tuple[Contribution, ...]
    rests: tuple[Rest, ...] = ()


@dataclass(frozen=True)
class Commit:
    """Make the round's weights durable."""

    round: int
    weights_sha256: str


@dataclass(frozen=True)
class Evaluate:
    """Measure the round's weights; the next round does not wait for it."""

    round: int


@dataclass(frozen=True)
class Finish:
    """The run is complete."""

    rounds: int


@dataclass(frozen=True)
class Fail:
    """The run cannot go on; the reason is for a person."""

    reason: str


@dataclass(frozen=True)
class Wait:
    """Nothing more to do until an event, or until then (on the engine's clock, in seconds)."""

    reason: str
    until: float


Effect = PublishRound | Counted | Refused | Excused | Aggregate | Commit | Evaluate | Finish | Fail | Wait
