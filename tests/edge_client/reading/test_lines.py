"""The lines of a page."""

from __future__ import annotations

import pytest

from edge_client.reading.lines import lines
from edge_client.vision.ink import InkPart
from tests.edge_client.reading.written import Written, inks_of, turned, write

EM = 60.0


def page(texts: tuple[str, ...], *, distance: float = 2.2) -> tuple[list[Written], list[int]]:
    """Write lines under each other, so many em apart, and say of each symbol in which line it is."""
    written: list[Written] = []
    line_of = []
    for number, text in enumerate(texts):
        line = [one.moved(0, number * distance * EM) for one in write(text, seed=number + 1)]
        written += line
        line_of += [number] * len(line)
    return written, line_of


def sorted_into(inks: list[InkPart]) -> list[int]:
    line_of = [-1] * len(inks)
    for number, members in enumerate(lines(inks, em=EM)):
        for i in members:
            line_of[i] = number
    return line_of


@pytest.mark.parametrize("degrees", [0.0, -1.5, 1.5])
def test_lines_under_each_other_are_told_apart(degrees: float) -> None:
    """Six lines with superscripts, descenders and signs of one stroke, also on a page that lies a little askew."""
    written, truth = page(("34-2+12", "3x^3+6x^2", "5y^3-2y^2", "6x^2+11x-35=0", "-4x^2-7x+12=0", "20x-15=10+5-5"))
    inks, _, _ = inks_of(turned(written, degrees))
    assert sorted_into(inks) == truth


def test_a_fraction_is_one_line_among_others() -> None:
    """What stands over and under a bar belongs to the bar's line."""
    written, truth = page(("{34|2}+{128|2}-22", "3x^3+6x", "{1|2}-{3|4}"), distance=3.6)
    inks, _, _ = inks_of(written)
    assert sorted_into(inks) == truth


@pytest.mark.parametrize("text", ["2^[42]", "x^2+y^2", "{x|a+{x|b-{x|c}}}", "y={1|x}", "(2-a)^[(3-b)^c]", "8:4"])
def test_one_line_stays_one(text: str) -> None:
    """Superscripts high over their base and fractions within fractions are no lines of their own."""
    inks, _, _ = inks_of(write(text))
    assert set(sorted_into(inks)) == {0}


def test_no_ink_has_no_lines() -> None:
    """An empty page is empty."""
    assert lines([], em=EM) == []
