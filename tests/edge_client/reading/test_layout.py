"""The layout of a line whose labels are known: rows, superscripts, fractions, nested in each other."""

from __future__ import annotations

import pytest

from edge_client.expression import text_of
from edge_client.reading.element import Candidate
from edge_client.reading.layout import LineInk, in_reading_order, lay_out, row_of_path
from shared.labels import ALGEBRA
from tests.edge_client.reading.written import Written, inks_of, row, turned, write

EM = 60.0

TEXTS = (
    "3x+9-4",
    "2^[10]",
    "x^2",
    "3x^2-7x+9=-5",
    "x^[-1]",
    "(a+b)^2=a^2+2ab+b^2",
    "2^[x+1]-2^x",
    "1/2",
    "8:4",
    "{1|2}",
    "{1|2}+{3|4}={5|4}",
    "{x+1|x-1}",
    "{x|a+{x|b-{x|c}}}",
    "{{1|2}+{1|3}|6}",
    "x^[{1|2}]+1",
    "{x^2+y^2|a^2}-1=0",
    "5*({1|2}-x)^3",
    "2*(3+4)*5",
    "a^[2^3]",
    "-4x^2",
)


def laid_out(written: list[Written]) -> str:
    inks, _, _ = inks_of(written)
    found = [Candidate(1 << i, ink, 0.0, 1) for i, ink in enumerate(inks)]
    said = {i: one.label for i, one in enumerate(written)}
    path = lay_out(LineInk(inks, frozenset(1 << i for i in range(len(inks))), found, EM, ALGEBRA, said))
    return text_of(row_of_path(path))


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_written_is_laid_out(text: str) -> None:
    """Every structure is found from where the symbols lie and what they are."""
    assert laid_out(write(text)) == text_of(row(text))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("degrees", [-2.5, 2.5])
def test_a_turn_that_vision_leaves_does_no_harm(text: str, degrees: float) -> None:
    """Vision turns a page upright from two degrees on; what is left changes nothing."""
    assert laid_out(turned(write(text, seed=5), degrees)) == text_of(row(text))


def test_symbols_are_numbered_in_reading_order_the_bar_before_its_numerator() -> None:
    """A row's symbols are indices into the list of symbols that goes with it."""
    written = write("1+{2+3|4}")
    inks, _, _ = inks_of(written)
    found = [Candidate(1 << i, ink, 0.0, 1) for i, ink in enumerate(inks)]
    said = {i: one.label for i, one in enumerate(written)}
    path = lay_out(LineInk(inks, frozenset(1 << i for i in range(len(inks))), found, EM, ALGEBRA, said))
    labels = [step.choice.label for step in in_reading_order(path)]
    assert labels == ["1", "+", "-", "2", "+", "3", "4"]
    sign, _, bar = row_of_path(path)
    assert (getattr(sign, "symbol", None), getattr(bar, "symbol", None)) == (0, 2)
