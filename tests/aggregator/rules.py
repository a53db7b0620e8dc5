"""Every rule and composition that there is, and updates for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation import (
    Aggregation,
    ClipToMedian,
    ClipUpdates,
    InMemoryUpdates,
    Krum,
    Mean,
    Median,
    MultiKrum,
    Rule,
    TrimmedMean,
    WeightedMean,
)
from shared.tensors import Tensors

Fleet = dict[str, tuple[Tensors, int]]

GATHERED_BYTES = 1 << 18

MEANS: dict[str, Rule] = {"weighted mean": WeightedMean(), "capped mean": WeightedMean(cap=4.0), "mean": Mean()}

ROBUST: dict[str, Rule] = {
    "median": Median(gathered_bytes=GATHERED_BYTES),
    "trimmed mean": TrimmedMean(gathered_bytes=GATHERED_BYTES),
    "krum": Krum(gathered_bytes=GATHERED_BYTES),
    "multi-krum": MultiKrum(gathered_bytes=GATHERED_BYTES),
}
"""Those that bear hostile updates; they assume a fifth of them."""

PLAIN = MEANS | ROBUST

EVERY: dict[str, Rule] = {
    **PLAIN,
    **{f"clip, then {name}": Aggregation(rule, (ClipUpdates(max_norm_l2=0.5),)) for name, rule in PLAIN.items()},
    **{f"clip to median, then {name}": Aggregation(rule, (ClipToMedian(),)) for name, rule in PLAIN.items()},
}


def f32(values: list[float]) -> NDArray[np.float32]:
    """A vector of float32."""
    return np.array(values, np.float32)


def tensors(seed: int) -> Tensors:
    """Parameters of a small model, drawn at random."""
    rng = np.random.default_rng(seed)
    return {"k": rng.normal(size=(4, 5)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}


def fleet(count: int, *, seed: int = 0) -> Fleet:
    """Updates and samples of so many devices, drawn at random."""
    rng = np.random.default_rng(seed)
    return {f"d{i:03d}": (tensors(seed * 1000 + i), int(rng.integers(1, 500))) for i in range(count)}


def combined(rule: Rule, updates: Fleet, base: Tensors | None = None) -> Tensors:
    """What a rule makes of updates."""
    return rule.combine(InMemoryUpdates(updates), base=base or tensors(99)).weights


def vectors(rows: NDArray[np.float32]) -> Fleet:
    """Updates of one parameter, ``(updates, values)``."""
    return {f"d{i:03d}": ({"w": row.copy()}, 1) for i, row in enumerate(rows)}


def of_vectors(rule: Rule, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a rule makes of vectors, where the weights were zero."""
    base = {"w": np.zeros(rows.shape[1], np.float32)}
    return rule.combine(InMemoryUpdates(vectors(rows)), base=base).weights["w"]
