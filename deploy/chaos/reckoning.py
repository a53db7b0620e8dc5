"""Draws up the account of a run: what its devices saw, held against what its aggregator has.

Three records are compared that do not know of each other: what each device wrote down beside itself of the updates it
made and what it was told of them; the contributions in the aggregator's database; and what the averaging took, by its
own count and by the weights that came of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors.numpy import load

from aggregator.checkpoints import Checkpoints
from aggregator.store import CommittedRound, Store
from deploy.chaos.account import Account
from deploy.chaos.proof import examine
from deploy.chaos.witness import Seen
from shared.errors import StorageError

COUNTED = ("accepted", "duplicate")
"""Verdicts after which a device holds its update for counted, and forgets it."""


class _Update(NamedTuple):
    device: str
    round: int
    sha256: str


class _Testimony:
    """What the devices saw of one run: the updates they made, and which of them they were told count."""

    def __init__(self, seen: Iterable[Seen], *, run: str) -> None:
        self.made: dict[_Update, Seen] = {}
        self.told: set[_Update] = set()
        self.duplicates = 0
        for one in seen:
            update = _Update(one.device, one.round, one.sha256)
            if one.run != run:
                continue
            if one.kind == "update":
                self.made[update] = one
            elif one.verdict in COUNTED:
                self.duplicates += one.verdict == "duplicate"
                self.told.add(update)


class _Round(NamedTuple):
    """What is wrong with a round: contributions missing from its weights, or in them again; None for not known."""

    missing: int
    again: int
    proven: bool | None


def draw_up(
    folder: Path,
    *,
    seen: Iterable[Seen],
    faults: Counter[str],
    weigh: Callable[[int], float] | None,
) -> Account:
    """Draw up the account of the last run in an aggregator's folder.

    Args:
        folder: of the aggregator.
        seen: by all devices, each device's in order.
        faults: how many of each kind there were.
        weigh: what an update weighs in the mean, by its samples; None where a round is not a weighted mean.

    Raises:
        StorageError: the aggregator's records cannot be read.
    """
    with Store(folder / "aggregator.sqlite3") as store:
        record = store.last_run()
        if record is None:
            return Account(faults=dict(faults))
        testimony = _Testimony(seen, run=record.run)
        committed = store.resume_point(record.run).committed
        contributions: list[_Update] = []
        rounds: dict[int, _Round] = {}
        for number in range(1, committed + 1):
            counted = [_Update(entry.device, number, entry.sha256) for entry in store.contributions(record.run, number)]
            contributions += counted
            rounds[number] = _look_at(folder, store.committed(record.run, number), counted, testimony.made, weigh)
    counts = set(contributions)
    return Account(
        faults=dict(faults),
        rounds=committed,
        accepted=len(counts),
        told=len(testimony.told & counts),
        duplicates=testimony.duplicates,
        lost=len({one for one in testimony.told if one.round <= committed} - counts)
        + sum(one.missing for one in rounds.values()),
        twice=_on_record_again(contributions, testimony.made) + sum(one.again for one in rounds.values()),
        proven=sum(one.proven is True for one in rounds.values()),
        wrong=tuple(number for number, one in rounds.items() if one.proven is False),
    )


def _on_record_again(contributions: Iterable[_Update], made: Iterable[_Update]) -> int:
    """Count the contributions that are another's over again.

    A device counts once in a round. An update counts once, in whatever round and under whatever name; more often only
    if devices made the same bytes so often, as they do where training changes nothing.
    """
    times_made = Counter(one.sha256 for one in made)
    places: set[tuple[str, int]] = set()
    used: Counter[str] = Counter()
    again = 0
    for one in contributions:
        place = (one.device, one.round)
        again += place in places or used[one.sha256] >= max(1, times_made[one.sha256])
        places.add(place)
        used[one.sha256] += 1
    return again


def _look_at(
    folder: Path,
    committed: CommittedRound | None,
    counted: Sequence[_Update],
    made: dict[_Update, Seen],
    weigh: Callable[[int], float] | None,
) -> _Round:
    """Hold what the averaging took against the contributions on record: by its own count, and by the weights."""
    if committed is None or not counted:
        return _Round(0, 0, None)
    measured = committed.cost.get("aggregation") or {}
    surplus = int(measured.get("updates", len(counted))) - len(counted)
    missing, again = max(0, -surplus), max(0, surplus)
    known = [made[one] for one in counted if one in made]
    if weigh is None or len(known) < len(counted):
        return _Round(missing, again, False if surplus else None)
    try:
        tensors = load(Checkpoints(folder / "checkpoints").read(committed.round, sha256=committed.weights_sha256))
    except StorageError:
        return _Round(missing, again, False if surplus else None)
    # What the averaging said it let nobody weigh more than; see `WeightedMean`.
    most = float(measured.get("weight_cap", math.inf))
    finding = examine(
        tensors, marks=[one.mark for one in known], weights=[min(weigh(one.samples), most) for one in known]
    )
    # The averaging's own count and the weights speak of the same: what both show is not counted twice over.
    return _Round(max(missing, finding.left_out), max(again, finding.again), finding.proven and not surplus)
