"""The rules that bear hostile updates, against their definitions written down naively, and against hostile updates."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from aggregator.aggregation import InMemoryUpdates, Krum, Median, MultiKrum, Rule, TrimmedMean
from aggregator.aggregation.gathering import gathered
from aggregator.byzantine import Byzantine
from tests.aggregator.rules import of_vectors, vectors

Rows = NDArray[np.float32]

MOST = float(np.finfo(np.float32).max)
values = st.floats(-1e6, 1e6, width=32)
anything = st.floats(-MOST, MOST, width=32)
# Small whole numbers: many are equal, and ties are where definitions differ.
tied = st.integers(-2, 2).map(float)


def rows(elements: st.SearchStrategy[float], *, least: int = 5, most: int = 13) -> st.SearchStrategy[Rows]:
    """Updates of one to seven values, ``(updates, values)``."""
    shapes = st.tuples(st.integers(least, most), st.integers(1, 7))
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=elements))


def assumed(updates: Rows, *, apart: int) -> int:
    """The most hostile updates that may be assumed among these, where ``2f + apart`` are needed; at least one."""
    return max(1, (len(updates) - apart) // 2)


def naive_krum(updates: Rows, hostile: int) -> list[int]:
    """Positions by Krum's score, the least first."""
    points = updates.astype(np.float64)
    scores = []
    for i, point in enumerate(points):
        squares = sorted(float(np.sum((point - other) ** 2)) for j, other in enumerate(points) if j != i)
        scores.append(sum(squares[: len(points) - hostile - 2]))
    return sorted(range(len(points)), key=lambda i: (scores[i], i))


@settings(max_examples=60, deadline=None)
@given(updates=rows(values) | rows(tied) | rows(anything))
def test_the_median_is_numpys(updates: Rows) -> None:
    """Coordinate by coordinate; of an even number, the mean of the two in the middle."""
    expected = np.median(updates.astype(np.float64), axis=0).astype(np.float32)
    np.testing.assert_array_equal(of_vectors(Median(), updates), expected)


@settings(max_examples=60, deadline=None)
@given(updates=rows(values) | rows(tied))
def test_the_trimmed_mean_is_the_mean_of_the_middle(updates: Rows) -> None:
    """Coordinate by coordinate, without the f greatest and the f smallest."""
    hostile = assumed(updates, apart=1)
    ranked = np.sort(updates.astype(np.float64), axis=0)
    expected = ranked[hostile : len(updates) - hostile].mean(axis=0)
    np.testing.assert_allclose(of_vectors(TrimmedMean(Byzantine(hostile)), updates), expected, rtol=1e-6, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(updates=rows(tied) | rows(st.integers(-1000, 1000).map(float)))
def test_krum_chooses_as_the_paper_has_it(updates: Rows) -> None:
    """The least sum of squared distances to the n - f - 2 nearest; of equals, the first. Whole numbers sum exactly."""
    hostile = assumed(updates, apart=3)
    best = naive_krum(updates, hostile)
    np.testing.assert_array_equal(of_vectors(Krum(Byzantine(hostile)), updates), updates[best[0]])
    measured = Krum(Byzantine(hostile)).combine(InMemoryUpdates(vectors(updates)), base=zeros(updates)).measurements
    assert measured.left_out == tuple(f"d{i:03d}" for i in range(len(updates)) if i != best[0])


@settings(max_examples=60, deadline=None)
@given(updates=rows(tied) | rows(st.integers(-1000, 1000).map(float)))
def test_multi_krum_is_the_mean_of_the_best(updates: Rows) -> None:
    """Of the n - f best by Krum's score, and who is not among them is named."""
    hostile = assumed(updates, apart=3)
    best = sorted(naive_krum(updates, hostile)[: len(updates) - hostile])
    aggregate = MultiKrum(Byzantine(hostile)).combine(InMemoryUpdates(vectors(updates)), base=zeros(updates))
    np.testing.assert_allclose(aggregate.weights["w"], updates[best].astype(np.float64).mean(axis=0), rtol=1e-6)
    assert aggregate.measurements.left_out == tuple(f"d{i:03d}" for i in range(len(updates)) if i not in best)


@pytest.mark.parametrize("rule", [Median, TrimmedMean])
@settings(max_examples=80, deadline=None)
@given(data=st.data(), honest=rows(values, least=3, most=9))
def test_hostile_updates_cannot_leave_the_range_of_the_honest(
    rule: type[Median | TrimmedMean], data: st.DataObject, honest: Rows
) -> None:
    """With fewer than half of them hostile, every coordinate lies between honest ones, whatever the hostile send."""
    hostile = data.draw(st.integers(1, len(honest) - 1))
    lies = data.draw(arrays(np.float32, (hostile, honest.shape[1]), elements=anything))
    order = data.draw(st.permutations(range(len(honest) + hostile)))
    result = of_vectors(rule(Byzantine(hostile)), np.concatenate([honest, lies])[order])
    assert (result >= honest.min(axis=0)).all()
    assert (result <= honest.max(axis=0)).all()


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    hostile=st.integers(1, 4),
    more=st.integers(0, 3),
    noise=st.integers(0, 1000),
    together=st.booleans(),
)
def test_krum_chooses_among_the_honest_where_they_are_close(
    data: st.DataObject, hostile: int, more: int, noise: int, *, together: bool
) -> None:
    """Honest updates within a ball, hostile ones far outside it, even all at one point: none of these is used."""
    rng = np.random.default_rng(noise)
    honest = (5 + 0.1 * rng.standard_normal((hostile + 3 + more, 4))).astype(np.float32)
    far = st.floats(50, MOST, width=32) | st.floats(-MOST, -50, width=32)
    lies = data.draw(arrays(np.float32, (1 if together else hostile, 4), elements=far))
    lies = np.repeat(lies, hostile, axis=0) if together else lies
    order = data.draw(st.permutations(range(len(honest) + hostile)))
    updates = np.concatenate([honest, lies])[order]
    chosen = of_vectors(Krum(Byzantine(hostile)), updates)
    assert (chosen == honest).all(axis=1).any()
    aggregate = MultiKrum(Byzantine(hostile)).combine(InMemoryUpdates(vectors(updates)), base=zeros(updates))
    liars = {f"d{place:03d}" for place, one in enumerate(order) if one >= len(honest)}
    assert liars <= set(aggregate.measurements.left_out)
    assert (np.abs(aggregate.weights["w"] - 5) < 1).all()


@pytest.mark.parametrize("rule", [Median(), TrimmedMean(), Krum(), MultiKrum()], ids=lambda rule: type(rule).__name__)
def test_who_is_far_from_all_others_is_suspected_by_name(rule: Rule) -> None:
    """Two of ten that go the other way are suspected, and nobody else; with none, nobody is."""
    rng = np.random.default_rng(4)
    updates = (1 + 0.3 * rng.standard_normal((10, 400))).astype(np.float32)
    clean = rule.combine(InMemoryUpdates(vectors(updates)), base=zeros(updates)).measurements
    assert clean.suspects == {}
    updates[[2, 7]] *= -1
    measured = rule.combine(InMemoryUpdates(vectors(updates)), base=zeros(updates)).measurements
    assert set(measured.suspects) == {"d002", "d007"}
    assert "median of the round" in measured.suspects["d002"]


@pytest.mark.parametrize("rule", [Median, TrimmedMean, Krum, MultiKrum])
def test_parts_of_a_tensor_give_what_the_whole_gives(rule: type[Median | TrimmedMean | Krum | MultiKrum]) -> None:
    """However little may be gathered at a time, the result is the same."""
    rng = np.random.default_rng(6)
    updates = rng.standard_normal((9, 1001)).astype(np.float32)
    whole = of_vectors(rule(), updates)
    np.testing.assert_array_equal(of_vectors(rule(gathered_bytes=4 * 9 * 10), updates), whole)
    np.testing.assert_array_equal(of_vectors(rule(gathered_bytes=1), updates), whole)


class _Thousand:
    """A thousand updates that are made when they are read."""

    devices = tuple(f"d{i:04d}" for i in range(1000))
    samples = (1,) * 1000

    def tensor(self, position: int, name: str) -> Rows:
        return np.full(4_000, position, np.float32)


def test_what_is_gathered_of_a_thousand_devices_is_bounded() -> None:
    """16 MB of values are looked at within 1 MiB and a tensor, part by part, and none is left out."""
    like = np.zeros(4_000, np.float32)
    seen = 0
    tracemalloc.start()
    try:
        for part, gathered_values in gathered(_Thousand(), "w", like=like, gathered_bytes=1 << 20):
            assert gathered_values.shape == (1000, part.stop - part.start)
            assert gathered_values[999, -1] == 999
            seen += gathered_values.shape[1]
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == 4_000
    assert peak_bytes < (1 << 20) + 4 * like.nbytes


def zeros(updates: Rows) -> dict[str, Rows]:
    """The weights that vectors started from."""
    return {"w": np.zeros(updates.shape[1], np.float32)}
