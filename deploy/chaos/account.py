"""The account of a run that was disturbed: what its devices saw, held against what its aggregator has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import load

from aggregator.checkpoints import Checkpoints
from aggregator.engine import Contribution
from aggregator.store import Store
from deploy.chaos.witness import Seen, mark_of
from shared.errors import StorageError

COUNTED = ("accepted", "duplicate")
"""Verdicts after which a device holds its update for counted, and forgets it."""


class Account(BaseModel):
    """What became of every contribution.

    Attributes:
        faults: how many of each kind there were.
        rounds: that are committed.
        accepted: contributions to them, by the aggregator's record.
        told: of these, how many a device knows of.
        duplicates: updates that came again although they counted already, and were told so: no harm.
        lost: devices that were told that their update counts, by a round that counts it not.
        twice: contributions beyond the first of a device to a round.
        proven: rounds whose weights were shown to be the mean of exactly their contributions, each once.
        wrong: rounds whose weights are something else.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    faults: dict[str, int] = Field(default_factory=dict)
    rounds: int = 0
    accepted: int = 0
    told: int = 0
    duplicates: int = 0
    lost: int = 0
    twice: int = 0
    proven: int = 0
    wrong: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was lost and nothing counted twice."""
        return not (self.lost or self.twice or self.wrong)


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
    updates: dict[tuple[str, int, str], Seen] = {}
    told: set[tuple[str, int, str]] = set()
    duplicates = 0
    with Store(folder / "aggregator.sqlite3") as store:
        record = store.last_run()
        if record is None:
            return Account(faults=dict(faults))
        for one in seen:
            key = (one.device, one.round, one.sha256)
            if one.run != record.run:
                continue
            if one.kind == "update":
                updates[key] = one
            elif one.verdict in COUNTED:
                duplicates += one.verdict == "duplicate"
                told.add(key)
        committed = store.resume_point(record.run).committed
        counted: set[tuple[str, int, str]] = set()
        twice, proven, wrong = 0, 0, []
        for number in range(1, committed + 1):
            contributions = tuple(store.contributions(record.run, number))
            twice += len(contributions) - len({entry.device for entry in contributions})
            counted |= {(entry.device, number, entry.sha256) for entry in contributions}
            sha256 = getattr(store.committed(record.run, number), "weights_sha256", "")
            if weigh is not None:
                shown = _is_mean(folder, number, sha256, contributions, updates, weigh)
                proven += shown is True
                wrong += [number] if shown is False else []
    return Account(
        faults=dict(faults),
        rounds=committed,
        accepted=len(counted),
        told=len(told & counted),
        duplicates=duplicates,
        lost=len({key for key in told if key[1] <= committed} - counted),
        twice=twice,
        proven=proven,
        wrong=tuple(wrong),
    )


def _is_mean(
    folder: Path,
    number: int,
    sha256: str,
    contributions: Iterable[Contribution],
    updates: dict[tuple[str, int, str], Seen],
    weigh: Callable[[int], float],
) -> bool | None:
    """Whether a round's weights are the mean of its contributions; None where that cannot be told."""
    try:
        tensors = load(Checkpoints(folder / "checkpoints").read(number, sha256=sha256))
    except StorageError:
        return None
    made = [updates.get((entry.device, number, entry.sha256)) for entry in contributions]
    known = [one for one in made if one is not None]
    if len(known) < len(made) or not known:
        return None
    weights = np.array([weigh(one.samples) for one in known])
    expected = float(weights @ np.array([one.mark for one in known]) / weights.sum())
    # Every weight is rounded to float32 once; the errors add up as a random walk.
    norm = float(np.sqrt(sum(float(np.vdot(tensor, tensor)) for tensor in tensors.values())))
    return abs(mark_of(tensors) - expected) <= 16 * 2.0**-24 * max(norm, 1.0)


def in_words(account: Account) -> list[tuple[str, str]]:
    """Name and number of each line of the account, for a person."""
    lines = [(kind, str(count)) for kind, count in sorted(account.faults.items())]
    total = sum(account.faults.values())
    return [
        *lines,
        ("faults together", str(total)),
        ("rounds done", str(account.rounds)),
        ("contributions accepted", str(account.accepted)),
        ("of which the device was told", str(account.told)),
        ("sent again and told so (duplicates)", str(account.duplicates)),
        ("counted twice", str(account.twice)),
        ("lost", str(account.lost)),
        ("rounds whose weights prove it", f"{account.proven} of {account.rounds}"),
        *([("rounds whose weights are wrong", ", ".join(map(str, account.wrong)))] if account.wrong else []),
    ]
