"""Rows are set as they are printed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_client.expression import row_of
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.live.formula import Formula, shown, typeset
from edge_client.live.typeface import ScalableTypeface, StrokeTypeface, typeface
from shared.labels import ALL


def texts(formula: Formula) -> list[str]:
    return [text.text for text in formula.texts]


def test_operators_keep_their_distance() -> None:
    """A space on either side between operands; none after a sign that belongs to a number."""
    assert texts(typeset(row_of("-3*x+7=-(4/2)"), size=32, face=typeface())) == ["−3 × x + 7 = −(4/2)"]


def test_a_power_is_raised_and_smaller() -> None:
    """The exponent stands above the baseline and right of its base."""
    base, power = typeset(row_of("x^2"), size=40, face=typeface()).texts
    assert (base.text, power.text) == ("x", "2")
    assert power.y < base.y
    assert power.x > base.x
    assert power.size < base.size


def test_a_fraction_has_a_bar_between() -> None:
    """Numerator above, denominator below, the bar as wide as both."""
    row: Row = (Bar(row_of("a+b"), row_of("2")),)
    formula = typeset(row, size=40, face=typeface())
    over, under = formula.texts
    (rule,) = formula.rules
    assert over.y < rule.y < under.y
    assert rule.width >= typeface().width("a + b", size=over.size)
    assert formula.ascent > -over.y
    assert formula.descent > under.y


def test_a_fraction_as_a_power_stays_above() -> None:
    """What is raised does not reach into what it stands on."""
    row: Row = (Sign("x"), Raised((Bar((Sign("1"),), (Sign("2"),)),)))
    formula = typeset(row, size=40, face=typeface())
    assert max(text.y for text in formula.texts[1:]) <= 0


@pytest.mark.parametrize("row", [(), (Raised(()),), (Bar((), ()),)])
def test_what_is_missing_has_a_place(row: Row) -> None:
    """An empty part shows as a box, not as nothing."""
    assert "□" in "".join(texts(typeset(row, size=32, face=typeface())))


rows: st.SearchStrategy[Row] = st.recursive(
    st.sampled_from(ALL).map(lambda label: (Sign(label),)),
    lambda inner: st.lists(
        st.one_of(inner.map(Raised), st.tuples(inner, inner).map(lambda pair: Bar(*pair)), st.just(Sign("7"))),
        max_size=4,
    ).map(tuple),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(row=rows)
def test_every_row_can_be_set(row: Row) -> None:
    """Whatever a reader makes of ink: everything lies within the formula's own extent."""
    formula = typeset(row, size=30, face=typeface())
    for text in formula.texts:
        assert 0 <= text.x <= formula.width
        assert -formula.ascent <= text.y <= formula.descent
    for rule in formula.rules:
        assert rule.x >= 0
        assert rule.x + rule.width <= formula.width


def test_a_row_of_many_storeys_is_cut_short() -> None:
    """Powers of powers without end become dots, not a stack overflow."""
    row: Row = (Sign("2"),)
    for _ in range(500):
        row = (Sign("2"), Raised(row))
    assert "…" in texts(typeset(row, size=30, face=typeface()))


def test_every_class_has_a_sign() -> None:
    """No class is shown by its internal name where there is a printed sign."""
    assert [shown(label) for label in ("times", "div", "-", "forward_slash", "alpha", "7")] == list("×÷−/α7")


@pytest.mark.parametrize("face", [ScalableTypeface(), StrokeTypeface()])
def test_both_typefaces_draw_what_they_measure(face: ScalableTypeface | StrokeTypeface) -> None:
    """A text fills the width it was measured with, about, and nothing is drawn beyond it."""
    import numpy as np

    picture = np.zeros((60, 400, 3), np.uint8)
    face.draw(picture, "3x × 7 ÷ 2", at=(20, 45), size=30, colour=(255, 255, 255))
    columns = np.flatnonzero(picture.any(axis=(0, 2)))
    width = face.width("3x × 7 ÷ 2", size=30)
    assert 0.8 * width < columns[-1] - columns[0] < 1.1 * width
    assert columns[0] >= 18
