"""From rows to trees."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest
from hypothesis import given, settings

from edge_client.expression import NotAnExpressionError, parse, row_of
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.tree import (
    Factorial,
    Letter,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Sum,
    Tree,
    letters_of,
)
from tests.edge_client.expression.rows import reckless_rows, signs

X, Y = Letter("x"), Letter("y")


def n(value: int | str) -> Node:
    """Return a number."""
    return Number(Fraction(value))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("12", n(12)),
        ("0.25", n("1/4")),
        ("1+2-3", Sum((n(1), n(2), Negative(n(3))))),
        ("2*3x", Product((n(2), n(3), X))),
        ("6/2x", Quotient(Product((n(6), X)), n(2))),
        ("1/2/3", Quotient(n(1), Product((n(2), n(3))))),
        ("-x^2", Negative(Power(X, n(2)))),
        ("2*-3", Negative(Product((n(2), n(3))))),
        ("1--2", Sum((n(1), n(2)))),
        ("xy^2", Product((X, Power(Y, n(2))))),
        ("12^2", Power(n(12), n(2))),
        ("(x+1)^2", Power(Sum((X, n(1))), n(2))),
        ("2(x)[y]", Product((n(2), X, Y))),
        ("9^9^9", Power(n(9), Power(n(9), n(9)))),
        ("3!^2", Power(Factorial(n(3)), n(2))),
        ("x=y=1", Relation((X, Y, n(1)), ("=", "="))),
        ("x<=1", Relation((X, n(1)), ("leq",))),
        ("alpha pi", Product((Letter("alpha"), Letter("pi")))),
    ],
)
def test_the_tree_of_a_text(text: str, tree: Tree) -> None:
    """Precedence, products without a sign, chains."""
    assert parse(row_of(text)) == tree


def test_a_bar_holds_both_its_sides_together() -> None:
    """A fraction is a factor, whatever is in it."""
    row: Row = (Bar(signs("x+1"), signs("2")), Sign("y"), Raised(signs("2")))
    assert parse(row) == Product((Quotient(Sum((X, n(1))), n(2)), Power(Y, n(2))))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing is written"),
        ("3+", "something is missing after +"),
        ("3*", "something is missing after *"),
        ("*3", "something is missing before *"),
        ("=3", "something is missing before ="),
        ("3+*4", "something is missing between + and *"),
        ("(3+)", "something is missing after +"),
        ("()", "nothing stands in the brackets"),
        ("(3", "a bracket is not closed"),
        ("2(", "a bracket is not closed"),
        ("3)", "a bracket is closed that was not opened"),
        (")(", "a bracket is closed that was not opened"),
        ("(3]", "( is closed by ]"),
        ("(1=2)", "= stands inside brackets"),
        ("x^(1=2)", "= stands inside an exponent or a fraction"),
        ("x^()", "the exponent is empty"),
        ("x^", "the exponent is empty"),
        ("^2", "nothing stands under what is raised"),
        ("3+^2", "nothing stands under what is raised"),
        ("3!!", "!! is not understood here"),
        ("1.2.3", "1.2.3 is no number"),
        ("sin x", "sin is not understood here"),
        ("x,y", ", is not understood here"),
        ("1" * 401, "it has more than 400 symbols"),
        ("(" * 40 + "1" + ")" * 40, "it nests deeper than 32 levels"),
    ],
)
def test_what_is_no_expression_says_why(text: str, reason: str) -> None:
    """The reason helps a person to see what was misread."""
    with pytest.raises(NotAnExpressionError) as refused:
        parse(row_of(text))
    assert refused.value.reason == reason


def test_an_empty_side_of_a_fraction_is_named() -> None:
    """A bar with nothing under it is no fraction."""
    with pytest.raises(NotAnExpressionError, match="the denominator is empty"):
        parse((Bar(signs("1"), ()),))


@given(reckless_rows())
@settings(max_examples=80, deadline=None)
def test_any_row_is_parsed_or_refused(row: Row) -> None:
    """No row does worse than to be refused with a reason."""
    try:
        tree = parse(row)
    except NotAnExpressionError as error:
        said = error.reason
    else:
        said = " ".join(letters_of(tree)) or "a number"
    assert said


@pytest.mark.parametrize("kind", ["raised", "bar"])
def test_a_row_that_nests_without_end_is_refused(kind: str) -> None:
    """Depth is measured before anything recurses."""
    row: Row = signs("1")
    for _ in range(sys.getrecursionlimit() * 3):
        row = (Sign("2"), Raised(row)) if kind == "raised" else (Bar(signs("1"), row),)
    with pytest.raises(NotAnExpressionError):
        parse(row)
