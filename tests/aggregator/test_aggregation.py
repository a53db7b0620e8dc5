"""What holds for every aggregation, and what each is there for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aggregator.aggregation import ClipToMedian, ClipUpdates, InMemoryUpdates, Mean, Rule, WeightedMean, aggregation_for
from aggregator.engine import Contribution
from aggregator.spool import Spool
from shared.errors import InkfleetError, RunError
from shared.tensors import encode_tensors, sha256_of
from tests.aggregator.rules import EVERY, GATHERED_BYTES, ROBUST, combined, f32, fleet, tensors

every = pytest.mark.parametrize("rule", EVERY.values(), ids=EVERY.keys())


@every
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(6)))
def test_the_order_of_arrival_changes_nothing(rule: Rule, seed: int, order: list[int]) -> None:
    """The result is the same bit for bit, whichever update came first."""
    updates = fleet(6, seed=seed)
    names = list(updates)
    shuffled = {names[i]: updates[names[i]] for i in order}
    assert encode_tensors(combined(rule, shuffled)) == encode_tensors(combined(rule, updates))


@every
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), samples=st.lists(st.integers(1, 10**6), min_size=5, max_size=40))
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
    with pytest.raises(RunError, match=r"expected weights that sum to more than zero|updates or more"):
        rule.combine(InMemoryUpdates({}), base=tensors(0))


@every
def test_one_update_alone(rule: Rule) -> None:
    """The mean of one is that one; among one nobody can tell who is hostile, and the weights stay."""
    base = tensors(99)
    near = {name: (tensor + np.float32(1e-3)).astype(np.float32) for name, tensor in base.items()}
    updates = {"d": (near, 7)}
    name = next(name for name, one in EVERY.items() if one is rule)
    if name in ROBUST:
        with pytest.raises(RunError, match=r"needs \d updates or more where 1 may be hostile, and got 1"):
            combined(rule, updates, base)
        return
    aggregate = rule.combine(InMemoryUpdates(updates), base=base)
    stays = name.endswith(tuple(ROBUST))
    assert encode_tensors(aggregate.weights) == encode_tensors(base if stays else near)
    assert ("the weights stay as they are" in aggregate.measurements.notice) is stays


@every
@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        (np.ones(1, np.float32), r"tensor b: expected float32 of shape \(5,\), got float32 of shape \(1,\)"),
        (np.ones(5, np.float64), r"tensor b: expected float32 of shape \(5,\), got float64 of shape \(5,\)"),
        (np.full(5, np.nan, np.float32), "tensor b: expected finite values"),
        (np.array([1, 2, 3, 4, -np.inf], np.float32), "tensor b: expected finite values"),
    ],
    ids=["shape", "dtype", "NaN", "infinity"],
)
def test_what_does_not_fit_is_refused_by_name(rule: Rule, tensor: NDArray[np.float32], says: str) -> None:
    """Another shape is not broadcast, another dtype not cast, and nothing that is not finite reaches the weights."""
    updates = fleet(9)
    updates["d004"] = ({**updates["d004"][0], "b": tensor}, 1)
    with pytest.raises(RunError, match="update of d004, " + says):
        combined(rule, updates)


@every
def test_names_do_not_matter(rule: Rule) -> None:
    """The same updates under each other's names give the same, but for the last bits of sums."""
    updates = fleet(9)
    renamed = dict(zip(updates, reversed(updates.values()), strict=True))
    one, other = combined(rule, updates), combined(rule, renamed)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-6, atol=1e-7)


def scaled(tensor: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    return (tensor * factor).astype(np.float32)


@every
@pytest.mark.parametrize("size", [0.0, 1e-30, 1e38])
def test_measurements_are_finite(rule: Rule, size: float) -> None:
    """Whatever the updates are, what is measured of them can be written as JSON, and names devices of the round."""
    updates = {d: ({n: scaled(t, size / 9) for n, t in w.items()}, s) for d, (w, s) in fleet(9).items()}
    measured = rule.combine(InMemoryUpdates(updates), base=tensors(99)).measurements
    assert json.loads(json.dumps(measured.as_json(), allow_nan=False))
    assert all(set(of) == set(updates) for of in measured.by_device.values())
    assert {*measured.left_out, *measured.suspects} <= set(updates)


@every
def test_memory_does_not_grow_with_the_fleet(rule: Rule, tmp_path: Path) -> None:
    """From the spool, 20 updates take no more memory than a few models, and what may be gathered of all together."""
    rng = np.random.default_rng(0)
    base = {f"k{i}": rng.normal(size=(128, 128)).astype(np.float32) for i in range(4)}
    model_bytes = sum(tensor.nbytes for tensor in base.values())
    spool = Spool(tmp_path)
    contributions = []
    for i in range(20):
        data = encode_tensors({name: tensor + np.float32(i * 1e-3) for name, tensor in base.items()})
        contributions.append(Contribution(f"d{i}", sha256_of(data), i + 1))
        spool.put(data, round_number=1, device=f"d{i}", sha256=sha256_of(data))
    tracemalloc.start()
    try:
        rule.combine(spool.updates(contributions, round_number=1), base=base)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * model_bytes + 4 * GATHERED_BYTES
    assert 20 * model_bytes > 2 * (4 * model_bytes + 4 * GATHERED_BYTES), "all updates together would not fit"


def test_threads_of_the_numeric_libraries_change_nothing() -> None:
    """With one thread of BLAS and with two, every rule comes to the same bytes: none of them goes by way of it."""
    code = (
        "import numpy as np\n"
        "from shared.tensors import encode_tensors, sha256_of\n"
        "from tests.aggregator.rules import EVERY, combined\n"
        "rng = np.random.default_rng(5)\n"
        "base = {'k': rng.normal(size=(300, 300)).astype(np.float32)}\n"
        "updates = {f'd{i}': ({'k': rng.normal(size=(300, 300)).astype(np.float32)}, i + 1) for i in range(9)}\n"
        "print([sha256_of(encode_tensors(combined(rule, updates, base))) for rule in EVERY.values()])\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
            timeout=400,
        ).stdout
        for threads in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].count("'") == 2 * len(EVERY)


def test_the_weighted_mean_is_fedavg() -> None:
    """One device of 300 samples and one of 100: three parts and one."""
    updates = {"a": ({"w": f32([4.0])}, 300), "b": ({"w": f32([8.0])}, 100)}
    aggregate = WeightedMean().combine(InMemoryUpdates(updates), base={"w": f32([2.0])})
    np.testing.assert_array_equal(aggregate.weights["w"], f32([5.0]))
    assert aggregate.measurements.as_json() == {"weight_total": 400.0, "step_norm_l2": 3.0}


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
    assert measured.numbers == {"clipped": 1.0, "update_norm_l2_max": 5.0}
    assert measured.by_device == {"update_norm_l2": {"a": 5.0, "b": pytest.approx(0.5)}}


def test_the_bound_follows_the_median_of_the_round() -> None:
    """Steps of 1, 2, 3, 4 and 900: those above 3 become 3, and the one that is far out is suspected."""
    base = {"w": f32([0.0, 0.0])}
    updates = InMemoryUpdates({f"d{i}": ({"w": f32([0.0, long])}, 1) for i, long in enumerate([1, 2, 3, 4, 900])})
    clipped, measured = ClipToMedian(factor=1.0).apply(updates, base=base)
    assert [clipped.tensor(i, "w")[1] for i in range(5)] == [1, 2, 3, 3, 3]
    assert measured.numbers["clip_norm_l2"] == 3.0
    assert measured.suspects == {"d4": "length of the update 900, median of the round 3"}


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bound_that_is_none_is_refused(bound: float) -> None:
    """A clip of zero would silence the fleet."""
    with pytest.raises(InkfleetError, match="above zero"):
        ClipUpdates(max_norm_l2=bound)
    with pytest.raises(InkfleetError, match="above zero"):
        ClipToMedian(factor=bound)


def test_settings_choose_the_aggregation() -> None:
    """Samples or uniform, clipped or not; the measurements of all stages are there."""
    updates = InMemoryUpdates(fleet(3))
    plain = aggregation_for(weighting="uniform").combine(updates, base=tensors(99))
    assert plain.measurements.numbers["weight_total"] == 3.0
    clipped = aggregation_for(weighting="samples", clip_update_norm=0.1).combine(updates, base=tensors(99))
    assert set(clipped.measurements.numbers) == {
        "updates",
        "clipped",
        "update_norm_l2_max",
        "weight_total",
        "step_norm_l2",
    }


@pytest.mark.parametrize("name", ["median", "trimmed-mean", "krum", "multi-krum"])
def test_settings_choose_the_rule(name: Any) -> None:
    """Every rule by its name, clipped to the median, is that rule after that clip."""
    updates = InMemoryUpdates(fleet(9))
    made = aggregation_for(rule=name, byzantine=2, clip_to_median=1.0).combine(updates, base=tensors(99))
    by_hand = EVERY[f"clip to median, then {name.replace('trimmed-mean', 'trimmed mean')}"]
    assert made.measurements.numbers["byzantine"] == 2.0
    assert "clip_norm_l2" in made.measurements.numbers
    assert set(made.measurements.by_device) == set(by_hand.combine(updates, base=tensors(99)).measurements.by_device)


@pytest.mark.parametrize(
    ("claims", "weights"),
    [
        ([100, 50, 7], [100, 50, 7]),
        ([100, 100, 400], [100, 100, 400]),
        ([100, 50, 1_000_000], [100, 50, 400]),
        ([10, 1_000_000], [10, 40]),
        ([1_000_000], [1_000_000]),
    ],
)
def test_no_weight_is_above_the_cap(claims: list[int], weights: list[int]) -> None:
    """Four times the median claim, the lower of two middle ones; below it, the weights are the claims, bit for bit."""
    updates = {f"d{i}": (tensors(i), claim) for i, claim in enumerate(claims)}
    weighed = {f"d{i}": (tensors(i), weight) for i, weight in enumerate(weights)}
    assert encode_tensors(combined(WeightedMean(cap=4.0), updates)) == encode_tensors(combined(WeightedMean(), weighed))


@pytest.mark.parametrize("cap", [-1.0, 0.5, float("nan"), float("inf")])
def test_a_cap_below_one_is_refused(cap: float) -> None:
    """It would leave no update its weight."""
    with pytest.raises(InkfleetError, match="cap of 1 or more"):
        WeightedMean(cap=cap)
