"""Scales, ticks and labels of the charts."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.report.svg import Scale, drawing, element, nice_ticks, spread, text, whole_ticks


def test_words_cannot_become_markup() -> None:
    """Whatever a label holds, the drawing stays well-formed and shows it as it is."""
    hostile = 'a<b>&"c'
    drawn = drawing(text(hostile, x=1, y=2), width=10, height=10, label=hostile)
    root = ElementTree.fromstring(drawn)
    assert root.attrib["aria-label"] == hostile
    assert root[0].text == hostile


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_enclose_the_values_in_even_steps(low: float, span: float) -> None:
    """The first tick is at or below the least value, the last at or above the greatest, and few lie between."""
    high = low + span
    ticks = nice_ticks(low, high)
    if high <= low:
        return
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + step * 1e-6
    assert ticks[-1] >= high - step * 1e-6
    assert 2 <= len(ticks) <= 13


@pytest.mark.parametrize("last", [1, 2, 3, 7, 12, 40, 1000])
def test_rounds_are_marked_by_whole_numbers(last: int) -> None:
    """No axis says "round 2.5", and none is crowded."""
    ticks = whole_ticks(last)
    assert ticks[0] == 0
    assert ticks == sorted(set(ticks))
    assert ticks[-1] <= last
    assert len(ticks) <= 12


@given(st.lists(st.floats(0, 100), min_size=1, max_size=6))
def test_labels_at_the_ends_of_lines_do_not_lie_on_each_other(places: list[float]) -> None:
    """They move apart by the gap, and stay on the drawing, in the order of their lines."""
    moved = spread(places, gap=12, low=0, high=100)
    order = sorted(range(len(places)), key=lambda i: places[i])
    for before, after in pairwise(order):
        assert moved[after] - moved[before] >= 12 - 1e-6
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in moved)


def test_values_beyond_a_scale_lie_at_its_ends() -> None:
    """Nothing is drawn outside the chart."""
    scale = Scale(0, 10, 100, 200)
    assert [scale(value) for value in (-5, 0, 5, 10, 50)] == [100, 100, 150, 200, 200]


def test_attributes_that_are_none_are_left_out() -> None:
    """A solid line has no dashes."""
    assert element("path", stroke_dasharray=None, d="M0,0") == '<path d="M0,0"/>'
