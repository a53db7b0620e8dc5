"""Sequences side by side, and boxes one to one, against cases counted by hand and against brute force."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.reading_score.alignment import align, align_tokens
from deploy.reading_score.boxes import match, overlap

WORDS = st.text("ab+", max_size=7)


@pytest.mark.parametrize(
    ("truth", "read", "distance", "pairs"),
    [
        ("3+2", "3+2", 0, [("3", "3"), ("+", "+"), ("2", "2")]),
        ("3+2", "342", 1, [("3", "3"), ("+", "4"), ("2", "2")]),
        ("x^2", "x2", 1, [("x", "x"), ("^", None), ("2", "2")]),
        ("12", "112", 1, [("1", "1"), (None, "1"), ("2", "2")]),
        ("ab", "", 2, [("a", None), ("b", None)]),
        ("", "ab", 2, [(None, "a"), (None, "b")]),
        ("", "", 0, []),
    ],
)
def test_tokens_are_aligned_at_the_fewest_edits(
    truth: str, read: str, distance: int, pairs: list[tuple[str | None, str | None]]
) -> None:
    """Taken for another, missed and added cost one each."""
    found, aligned = align_tokens(truth, read)
    assert found == distance
    if truth == "12":  # which of the two ones was added cannot be told
        aligned = sorted(aligned, key=str)
        pairs = sorted(pairs, key=str)
    assert aligned == pairs


@given(WORDS, WORDS)
def test_the_distance_is_levenshteins(truth: str, read: str) -> None:
    """It equals the distance by its recursive definition, and the pairs spell both sequences."""

    @cache
    def slow(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        return min(slow(i - 1, j) + 1, slow(i, j - 1) + 1, slow(i - 1, j - 1) + (truth[i - 1] != read[j - 1]))

    distance, pairs = align_tokens(truth, read)
    assert distance == slow(len(truth), len(read))
    assert distance == sum(one != other for one, other in pairs)
    assert "".join(one for one, _ in pairs if one) == truth
    assert "".join(other for _, other in pairs if other) == read


def test_of_alignments_that_cost_the_same_the_fuller_one_is_taken() -> None:
    """Two items side by side that differ are told as one taken for the other, not as one missed and one added."""
    _, pairs = align("a", "b", cost=lambda one, other: 2.0, alone=lambda item: 1.0)
    assert pairs == [("a", "b")]


def test_overlap_is_intersection_over_union() -> None:
    """Counted by hand: 2×4 of 4×4 and 4×4 shared is 8 of 24; beside each other is 0."""
    assert overlap((0, 0, 4, 4), (2, 0, 4, 4)) == pytest.approx(8 / 24)
    assert overlap((0, 0, 4, 4), (0, 0, 4, 4)) == 1.0
    assert overlap((0, 0, 4, 4), (4, 0, 4, 4)) == 0.0
    assert overlap((0, 0, 10, 10), (0, 0, 10, 5)) == 0.5


def test_half_an_overlap_is_found_and_less_is_not() -> None:
    """The limit itself counts."""
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 5)]) == [(0, 0)]
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 4.9)]) == []


def test_one_box_is_found_once() -> None:
    """A box that was read twice leaves one over, and the closer one is the pair."""
    assert match([(0, 0, 10, 10)], [(0, 0, 10, 8), (0, 0, 10, 10)]) == [(0, 1)]


def test_a_pair_gives_way_where_one_more_can_be_made() -> None:
    """The first read box would suit both, the second only the first written one: both are matched."""
    truth = [(0.0, 0.0, 10.0, 10.0), (0.0, 2.0, 10.0, 10.0)]
    read = [(0.0, 1.0, 10.0, 10.0), (0.0, -2.5, 10.0, 10.0)]
    assert overlap(truth[1], read[1]) < 0.5 < overlap(truth[0], read[1])
    assert match(truth, read) == [(0, 1), (1, 0)]


BOXES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(2, 6), st.integers(2, 6)).map(
        lambda box: (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    ),
    max_size=4,
)


@given(BOXES, BOXES)
def test_as_many_are_matched_as_can_be(truth: list[tuple[float, ...]], read: list[tuple[float, ...]]) -> None:
    """No other way to pair boxes finds more, and no box is used twice."""
    one, other = [(a[0], a[1], a[2], a[3]) for a in truth], [(b[0], b[1], b[2], b[3]) for b in read]
    pairs = match(one, other)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(overlap(one[i], other[j]) >= 0.5 for i, j in pairs)
    slots = [*range(len(other)), *[-1] * len(one)]
    best = max(
        sum(j >= 0 and overlap(one[i], other[j]) >= 0.5 for i, j in enumerate(order))
        for order in set(permutations(slots, len(one)))
    )
    assert len(pairs) == best
