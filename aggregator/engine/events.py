"""What the round engine is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """The run begins, or goes on after a restart. The first event, once."""


@dataclass(frozen=True)
class DeviceSeen:
    """A device is online with so many samples that the run can use."""

    device: str
    samples: int


@dataclass(frozen=True)
class DeviceGone:
    """A device went offline."""

    device: str


@dataclass(frozen=True)
class DeviceExpelled:
    """A device belongs to the fleet no more, and why: nothing of it is waited for."""

    device: str
    reason: str


@dataclass(frozen=True)
class DeviceDeclined:
    """A device says that no update of it will come to this attempt at a round, and why."""

    device: str
    round: int
    attempt: int
    reason: str


@dataclass(frozen=True)
class UpdateAccepted:
    """An update passed every guard and is durable; whether it still counts is for the engine to say."""

    round: int
    device: str
    sha256: str
    samples: int


@dataclass(frozen=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True)
class Aggregated:
    """The round's updates are averaged."""

    round: int
    weights_sha256: str


@dataclass(frozen=True)
class Committed:
    """The round's weights are durable."""

    round: int


Event = (
    Started | DeviceSeen | DeviceGone | DeviceExpelled | DeviceDeclined | UpdateAccepted | Tick | Aggregated | Committed
)
