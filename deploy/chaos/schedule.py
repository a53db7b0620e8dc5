"""Which faults a run will meet: drawn from a seed, each at a place in the run's progress. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AGGREGATOR_LINE_SHARE = 0.25
"""So many of a line's faults are on the aggregator's."""

FIRST_AT, LAST_AT = 0.01, 0.97
"""The part of a run's progress in which faults begin: none waits for the first round or for what follows the last."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes:
        name: for people and records.
        on: ``device`` or ``aggregator`` (a process), ``line``, or ``broker``.
        longest_s: how long it lasts at most, in seconds; it is at least a fifth of that.
        weight: how often it is drawn, beside the others.
    """

    name: str
    on: str
    longest_s: float
    weight: float = 1.0


KINDS = (
    Kind("device killed", "device", 2.0, 3.0),
    Kind("aggregator killed", "aggregator", 1.0, 2.0),
    Kind("broker killed, memory lost", "broker", 6.0, 1.0),
    Kind("broker killed, memory kept", "broker", 6.0, 1.0),
    Kind("device stopped", "device", 10.0, 1.0),
    Kind("aggregator stopped", "aggregator", 8.0, 1.0),
    Kind("line cut", "line", 0.0, 2.0),
    Kind("line refusing", "line", 6.0, 1.0),
    Kind("line dropping every few seconds", "line", 12.0, 1.0),
    Kind("line half-open, up", "line", 12.0, 1.0),
    Kind("line half-open, down", "line", 12.0, 1.0),
    Kind("line half-open", "line", 0.0, 1.0),
    Kind("line slow", "line", 8.0, 1.0),
    Kind("packets dropped", "line", 6.0, 1.0),
    Kind("packets lost", "line", 6.0, 1.0),
    Kind("packets repeated", "line", 6.0, 1.0),
    Kind("packets reordered", "line", 6.0, 1.0),
)
"""All kinds there are."""


@dataclass(frozen=True)
class Fault:
    """One fault of a run.

    Attributes:
        at: where in the run's progress it begins, 0 to 1.
        kind: its name.
        on: see `Kind`.
        target: which of the processes or lines, 0 to 1.
        lasts_s: for how long, in seconds.
        strength: 0 to 1; what that means depends on the kind.
    """

    at: float
    kind: str
    on: str
    target: float
    lasts_s: float
    strength: float


def draw_schedule(seed: int, *, faults: int, broker_remembers: bool = True) -> tuple[Fault, ...]:
    """Draw the faults of a run, in the order of their places. The same seed gives the same faults.

    Every kind comes once before any comes twice, as far as there are so many faults.

    Args:
        seed: of the draw.
        faults: how many.
        broker_remembers: whether the broker can be started again with its memory.
    """
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS if broker_remembers or kind.name != "broker killed, memory kept"]
    weights = np.array([kind.weight for kind in kinds])
    chosen = [kinds[i] for i in rng.permutation(len(kinds))]
    more = max(0, faults - len(chosen))
    chosen += [kinds[i] for i in rng.choice(len(kinds), size=more, p=weights / weights.sum())]
    places = np.sort(rng.uniform(FIRST_AT, LAST_AT, faults))
    order = rng.permutation(faults)
    return tuple(
        Fault(
            at=float(place),
            kind=chosen[i].name,
            on=chosen[i].on,
            target=float(rng.random()),
            lasts_s=float(rng.uniform(0.2, 1.0)) * chosen[i].longest_s,
            strength=float(rng.random()),
        )
        for place, i in zip(places, order, strict=True)
    )
