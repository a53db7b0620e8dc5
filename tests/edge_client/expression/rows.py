"""Rows at random, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from edge_client.expression.row import Bar, Raised, Row, Sign
from shared.labels import ALGEBRA, ALL


def signs(text: str) -> Row:
    """Return signs for single characters that are their own labels."""
    return tuple(Sign(character) for character in text)


def _layouts(inner: st.SearchStrategy[Row], *, bars: bool) -> st.SearchStrategy[Row]:
    """Return rows whose round brackets are balanced, with superscripts, and with fractions if asked for."""
    labels = st.sampled_from([label for label in ALL if label not in ("(", ")")])
    kinds = [
        st.builds(lambda label: (Sign(label),), labels),
        st.builds(lambda row: (Raised(row),), inner),
        st.builds(lambda row: (Sign("("), *row, Sign(")")), inner),
    ]
    if bars:
        kinds.append(st.builds(lambda above, below: (Bar(above, below),), inner, inner))
    return st.lists(st.one_of(kinds), max_size=6).map(lambda parts: sum(parts, ()))


def any_rows(*, bars: bool) -> st.SearchStrategy[Row]:
    """Rows of every class, well-formed or not but for their round brackets."""
    return st.recursive(st.just(()), lambda inner: _layouts(inner, bars=bars), max_leaves=8)


def reckless_rows() -> st.SearchStrategy[Row]:
    """Rows of every class, nothing about them well-formed."""
    label = st.sampled_from([*ALGEBRA, *ALL, "^", "\\", "", "%", "long name", "é"])
    return st.recursive(
        st.lists(st.builds(Sign, label, st.integers(-1, 9)), max_size=4).map(tuple),
        lambda inner: st.lists(
            st.one_of(st.builds(Sign, label), st.builds(Raised, inner), st.builds(Bar, inner, inner)), max_size=4
        ).map(tuple),
        max_leaves=10,
    )


_OPERATORS = ("+", "-", "times", "div", "forward_slash", "")


@st.composite
def _joined(draw: st.DrawFn, inner: st.SearchStrategy[Row]) -> Row:
    row: Row = (Sign("-"),) if draw(st.booleans()) else ()
    for i in range(draw(st.integers(1, 3))):
        if i:
            operator = draw(st.sampled_from(_OPERATORS))
            row += (Sign(operator),) if operator else ()
        kind = draw(st.sampled_from(("number", "letter", "brackets", "fraction", "power")))
        if kind == "number":
            row += signs(str(draw(st.integers(0, 99))))
        elif kind == "letter":
            row += (Sign(draw(st.sampled_from("xyab"))),)
        elif kind == "brackets":
            row += (Sign("("), *draw(inner), Sign(")"))
        elif kind == "fraction":
            row += (Bar(draw(inner), draw(inner)),)
        else:
            base = draw(st.sampled_from((signs("x"), signs("12"), (Sign("("), *draw(inner), Sign(")")))))
            row += (*base, Raised(signs(draw(st.sampled_from(("2", "3", "-1", "10", "(2)", "0"))))))
    return row


def expressions() -> st.SearchStrategy[Row]:
    """Well-formed rows of arithmetic and algebra."""
    return st.recursive(_joined(st.just(signs("7"))), lambda inner: _joined(inner), max_leaves=4)
