"""What holds for every aggregation, and what each is there for."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aggregator.aggregation import (
    Aggregation,
    ClipUpdates,
    InMemoryUpdates,
    Mean,
    Rule,
    WeightedMean,
    aggregation_for,
)
from aggregator.engine import Contribution
from aggregator.spool import Spool
from shared.errors import InkfleetError, RunError
from shared.tensors import Tensors, encode_tensors, sha256_of

EVERY: dict[str, Rule] = {
    "weighted mean": WeightedMean(),
    "mean": Mean(),
    "clip, then weighted mean": Aggregation(WeightedMean(), (ClipUpdates(max_norm_l2=0.5),)),
    "clip, then mean": Aggregation(Mean(), (ClipUpdates(max_norm_l2=0.5),)),
}
every = pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY.keys())

Fleet = dict[str, tuple[Tensors, int]]


def f32(values: list[float]) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def tensors(seed: int) -> Tensors:
    rng = np.random.default_rng(seed)
    return {"k": rng.normal(size=(4, 5)).astype(np.float32), "b": rng.normal(size=5).astype(np.float32)}


def fleet(count: int, *, seed: int = 0) -> Fleet:
    rng = np.random.default_rng(seed)
    return {f"d{i:03d}": (tensors(seed * 1000 + i), int(rng.integers(1, 500))) for i in range(count)}


def combined(rule: Rule, updates: Fleet, base: Tensors | None = None) -> Tensors:
    return rule.combine(InMemoryUpdates(updates), base=base or tensors(99)).weights


@every
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_the_order_of_arrival_changes_nothing(rule: Rule, seed: int, order: list[int]) -> None:
    """The result is the same bit for bit, whichever update came first."""
    updates = fleet(6, seed=seed)
    names = list(updates)
    shuffled = {names[i]: updates[names[i]] for i in order}
    assert encode_tensors(combined(rule, shuffled)) == encode_tensors(combined(rule, updates))


@every
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), samples=st.lists(st.integers(1, 10**6), min_size=1, max_size=40))
def test_equal_updates_give_themselves(rule: Rule, seed: int, samples: list[int]) -> None:
    """The mean of the same is the same, to the last bit: sums are float64, and rounded once."""
    base, same = tensors(99), tensors(seed)
    small = {name: (base[name] + same[name] * np.float32(1e-3)).astype(np.float32) for name in base}
    updates = {f"d{i}": (small, count) for i, count in enumerate(samples)}
    assert encode_tensors(combined(rule, updates, base)) == encode_tensors(small)


@every
def test_scale_goes_through(rule: Rule) -> None:
    """Everything times a power of two is the result times it, where nothing is clipped."""
    base = {name: np.zeros_like(tensor) for name, tensor in tensors(0).items()}
    small = {d: ({n: t * np.float32(2**-8) for n, t in w.items()}, s) for d, (w, s) in fleet(5).items()}
    half = {d: ({n: t * np.float32(0.5) for n, t in w.items()}, s) for d, (w, s) in small.items()}
    whole, scaled = combined(rule, small, base), combined(rule, half, base)
    for name in base:
        np.testing.assert_array_equal(whole[name] * np.float32(0.5), scaled[name])


@every
def test_the_result_lies_between_the_updates(rule: Rule) -> None:
    """Each value is within the range of the updates' and the base's values, float32, in the base's order."""
    updates, base = fleet(7), tensors(99)
    result = combined(rule, updates, base)
    assert list(result) == list(base)
    for name, tensor in result.items():
        values = np.stack([base[name], *(weights[name] for weights, _ in updates.values())])
        assert tensor.dtype == np.float32
        assert (tensor >= values.min(axis=0) - 1e-6).all()
        assert (tensor <= values.max(axis=0) + 1e-6).all()


@every
def test_no_updates_are_an_error(rule: Rule) -> None:
    """A mean of nothing is not guessed."""
    with pytest.raises(RunError, match="expected weights that sum to more than zero"):
        rule.combine(InMemoryUpdates({}), base=tensors(0))


@every
def test_another_shape_is_an_error(rule: Rule) -> None:
    """Tensors that do not fit are named, not broadcast."""
    odd = {"k": np.ones((4, 5), np.float32), "b": np.ones(1, np.float32)}
    with pytest.raises(RunError, match=r"update of d, tensor b: expected float32 of shape \(5,\), got .* \(1,\)"):
        rule.combine(InMemoryUpdates({"d": (odd, 1)}), base={**tensors(0), "k": np.ones((4, 5), np.float32)})


@every
def test_memory_does_not_grow_with_the_fleet(rule: Rule, tmp_path: Path) -> None:
    """From the spool, 48 updates take no more memory than a few models."""
    rng = np.random.default_rng(0)
    base = {f"k{i}": rng.normal(size=(256, 128)).astype(np.float32) for i in range(4)}
    model_bytes = sum(tensor.nbytes for tensor in base.values())
    spool = Spool(tmp_path)
    contributions = []
    for i in range(48):
        data = encode_tensors({name: tensor + np.float32(i * 1e-3) for name, tensor in base.items()})
        contributions.append(Contribution(f"d{i}", sha256_of(data), i + 1))
        spool.put(data, round_number=1, device=f"d{i}", sha256=sha256_of(data))
    tracemalloc.start()
    try:
        rule.combine(spool.updates(contributions, round_number=1), base=base)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * model_bytes


def test_the_weighted_mean_is_fedavg() -> None:
    """One device of 300 samples and one of 100: three parts and one."""
    updates = {"a": ({"w": f32([4.0])}, 300), "b": ({"w": f32([8.0])}, 100)}
    aggregate = WeightedMean().combine(InMemoryUpdates(updates), base={"w": f32([2.0])})
    np.testing.assert_array_equal(aggregate.weights["w"], f32([5.0]))
    assert aggregate.measurements == {"weight_total": 400.0, "step_norm_l2": 3.0}


def test_the_plain_mean_does_not_ask_for_samples() -> None:
    """A device of one sample weighs as much as one of many."""
    updates = {"a": ({"w": f32([4.0])}, 300), "b": ({"w": f32([8.0])}, 1)}
    aggregate = Mean().combine(InMemoryUpdates(updates), base={"w": f32([0.0])})
    np.testing.assert_array_equal(aggregate.weights["w"], f32([6.0]))


def test_sums_are_float64() -> None:
    """A large and many small values: float32 sums would lose the small ones."""
    values = [1.0] + [1e-8] * 1000
    updates = {f"d{i:04d}": ({"w": f32([value])}, 1) for i, value in enumerate(values)}
    result = Mean().combine(InMemoryUpdates(updates), base={"w": f32([0.0])}).weights["w"]
    exact = f32(values).astype(np.float64).sum() / len(values)
    assert result[0] == np.float32(exact)


def test_clipping_scales_a_long_step_back_and_leaves_a_short_one() -> None:
    """A step of norm 5 becomes one of norm 1 in the same direction; one of norm 0.5 stays bit for bit."""
    base = {"w": f32([1.0, 1.0])}
    updates = InMemoryUpdates({"a": ({"w": f32([4.0, 5.0])}, 1), "b": ({"w": f32([1.3, 1.4])}, 1)})
    clipped, measured = ClipUpdates(max_norm_l2=1.0).apply(updates, base=base)
    np.testing.assert_allclose(clipped.tensor(0, "w"), [1.6, 1.8], rtol=1e-6)
    np.testing.assert_array_equal(clipped.tensor(1, "w"), f32([1.3, 1.4]))
    assert measured == {"clipped": 1.0, "update_norm_l2_max": 5.0}


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bound_that_is_none_is_refused(bound: float) -> None:
    """A clip of zero would silence the fleet."""
    with pytest.raises(InkfleetError, match="above zero"):
        ClipUpdates(max_norm_l2=bound)


def test_settings_choose_the_aggregation() -> None:
    """Samples or uniform, clipped or not; the measurements of all stages are there."""
    updates = InMemoryUpdates(fleet(3))
    plain = aggregation_for(weighting="uniform").combine(updates, base=tensors(99))
    assert plain.measurements["weight_total"] == 3.0
    clipped = aggregation_for(weighting="samples", clip_update_norm=0.1).combine(updates, base=tensors(99))
    assert set(clipped.measurements) == {
        "updates",
        "clipped",
        "update_norm_l2_max",
        "weight_total",
        "step_norm_l2",
    }
