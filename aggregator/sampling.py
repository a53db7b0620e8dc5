"""Which devices a round invites."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def choose(names: Iterable[str], *, k: int, seed: int, round_number: int, attempt: int = 1) -> tuple[str, ...]:
    """Choose k of these devices, or all, in the order of their names.

    The choice depends on the seed, the round and the set of names alone, not on the order they came in: "random
    selection of clients", McMahan et al. 2017, algorithm 1.

    Args:
        names: the devices that could be invited.
        k: how many to choose; 0, or more than there are, chooses all.
        seed: of the run.
        round_number: of the round.
        attempt: a round that is opened again draws anew.
    """
    pool = sorted(set(names))
    if k == 0 or k >= len(pool):
        return tuple(pool)
    entropy = [seed, round_number] if attempt == 1 else [seed, round_number, attempt]
    rng = np.random.default_rng(np.random.SeedSequence(entropy))
    return tuple(sorted(pool[i] for i in rng.choice(len(pool), size=k, replace=False)))
