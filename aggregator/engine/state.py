"""What the round engine knows: the plan of the run, and where it stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Phase = Literal["gathering", "collecting", "aggregating", "committing", "finished", "failed"]


@dataclass(frozen=True)
class RunPlan:
    """How a run is to go; unchanging.

    Attributes:
        rounds: how many rounds to run.
        per_round: how many devices to invite; 0 invites all.
        min_devices: how many must be there before round 1.
        wait_s: how long to wait for enough devices, in seconds, before the run fails.
        deadline_s: how long a round takes updates, in seconds.
        quorum: how many updates a round needs; 0 needs one from every invited device.
        max_attempts: how often a round is opened before the run fails for want of updates.
        seed: of the choice of devices.
        grace_s: how long a device that just left is waited for before a round opens without it, in seconds. A short
            loss of the network then changes nothing.
        work_s: how long averaging or committing may take, in seconds.
        over_select: how many more devices than ``per_round`` are invited, as a fraction of it; the round closes when
            ``per_round`` updates have come. "Selection of 130 % of the target", Bonawitz et al. 2019, section 4.
        rest: for how many rounds at most a device that failed in one after the other is not invited; 0 for never.
    """

    rounds: int
    per_round: int = 0
    min_devices: int = 1
    wait_s: float = 300.0
    deadline_s: float = 300.0
    quorum: int = 0
    max_attempts: int = 3
    seed: int = 0
    grace_s: float = 10.0
    work_s: float = 600.0
    over_select: float = 0.0
    rest: int = 16

    @property
    def invited(self) -> int:
        """How many devices a round invites; 0 for all."""
        # Ten times 1.1 is eleven, not 11.000000000000002.
        return math.ceil(round(self.per_round * (1 + self.over_select), 6))


@dataclass(frozen=True, order=True)
class Contribution:
    """An update that counts: one for each device and round."""

    device: str
    sha256: str
    samples: int


@dataclass(frozen=True, order=True)
class Rest:
    """A device that failed in rounds it was invited to, one after the other.

    Attributes:
        failures: how many.
        round: the last of them.
        until: the last round that it is not invited to; not after ``round`` if it does not rest.
        reason: of the last failure, for a person.
    """

    device: str
    failures: int
    round: int
    until: int
    reason: str = ""

    def after(self, round_number: int, reason: str, *, longest: int) -> Rest:
        """Return what becomes of it with another failure: the first is forgiven, then 1 round, 2, 4, … of rest."""
        failures = self.failures + 1
        rounds = min(2 ** min(failures - 2, 30), longest) if failures > 1 else 0
        return Rest(self.device, failures, round_number, round_number + rounds, reason)


@dataclass(frozen=True)
class OpenRound:
    """A round that was opened and not committed.

    Attributes:
        attempt: how often it was opened.
        invited: in the order of their names.
        quorum: how many updates it needs.
        contributions: what counts so far, in the order of the devices' names.
        closed: no more updates are taken; it is being averaged.
    """

    round: int
    attempt: int
    invited: tuple[str, ...]
    quorum: int
    contributions: tuple[Contribution, ...] = ()
    closed: bool = False


@dataclass(frozen=True)
class ResumePoint:
    """Where a run stood, as the store has it.

    Attributes:
        committed: the last round whose weights are committed; 0 for none.
        open: the round that was under way, if one was.
        roster: the devices that were there when the last round opened; they are given a moment to come back.
        rests: of the devices that failed last, in the order of their names.
    """

    committed: int = 0
    open: OpenRound | None = None
    roster: tuple[str, ...] = ()
    rests: tuple[Rest, ...] = ()


@dataclass(frozen=True)
class RoundView:
    """A snapshot of the engine.

    Attributes:
        round: the round under way, or the last one.
        taking: whether an update to this round can still count.
    """

    phase: Phase
    round: int
    attempt: int
    invited: tuple[str, ...]
    quorum: int
    contributions: tuple[Contribution, ...]
    taking: bool
