"""The canonical text of a row, and what is read from text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_client.expression import NotAnExpressionError, latex_of, parse, row_of, same_expression, text_of
from edge_client.expression.exact import Expansion, NotPolynomialError
from edge_client.expression.limits import NoValueError
from edge_client.expression.polynomial import TooManyTermsError
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.shape import is_enclosed, merged
from edge_client.expression.text import needs_brackets
from edge_client.expression.tree import Relation
from shared.labels import ALL
from tests.edge_client.expression.rows import any_rows, expressions, reckless_rows, signs


def _truths(folder: Path) -> list[str]:
    lines = (folder / "expressions" / "labels.tsv").read_text(encoding="ascii").splitlines()
    return [line.split("\t")[1] for line in lines]


@pytest.mark.needs_data
def test_every_truth_of_the_expressions_is_canonical(handwriting: Path) -> None:
    """A truth that is read and written again is the same text."""
    truths = _truths(handwriting)
    assert len(truths) >= 300
    assert [text_of(row_of(truth)) for truth in truths] == truths


@pytest.mark.needs_data
def test_every_truth_of_the_photographs_reads_back(handwriting: Path) -> None:
    """The labels of the photographs keep what they say when they are made canonical; only `2^12 2^11` changes."""
    changed = {}
    for line in (handwriting / "camera" / "labels.tsv").read_text(encoding="utf-8").splitlines():
        for truth in line.split("\t")[1].split("#")[0].split("|"):
            truth = truth.strip()
            if truth.startswith("<"):
                continue
            canonical = text_of(row_of(truth))
            assert same_expression(truth, canonical)
            if canonical != truth:
                changed[truth] = canonical
    assert changed == {"2^12 2^11": "2^(12)2^(11)", "2^42 2^44": "2^(42)2^(44)"}


@pytest.mark.needs_data
def test_brackets_count(handwriting: Path) -> None:
    """A truth without one pair of its brackets is another expression; exponents may be typed without theirs."""
    tried = 0
    for truth in _truths(handwriting):
        opened: list[int] = []
        for i, character in enumerate(truth):
            if character == "(":
                opened.append(i)
            elif character == ")" and truth[(start := opened.pop()) - 1 : start] != "^":
                without = truth[:start] + truth[start + 1 : i] + truth[i + 1 :]
                assert not same_expression(truth, without), without
                tried += 1
    assert tried > 100


HALF = Bar(signs("1"), signs("2"))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ((), ""),
        ((Sign("3"), Sign("times"), Sign("4"), Sign("div"), Sign("5"), Sign("forward_slash"), Sign("6")), "3*4/5/6"),
        ((Sign("2"), Raised(signs("10"))), "2^(10)"),
        ((Sign("2"), Raised(signs("x"))), "2^x"),
        ((Sign("2"), Raised(signs("-1"))), "2^(-1)"),
        ((Sign("2"), Raised(signs("(10)"))), "2^(10)"),
        ((Sign("2"), Raised(signs("(a)(b)"))), "2^((a)(b))"),
        ((Sign("2"), Raised((HALF,))), "2^(1/2)"),
        ((Sign("2"), Raised((Sign("3"), Raised(signs("4"))))), "2^(3^4)"),
        ((Sign("2"), Raised(signs("1")), Sign("3"), Raised(signs("2"))), "2^1 3^2"),
        ((Sign("2"), Raised(signs("1")), Raised(signs("3"))), "2^(13)"),
        ((Sign("2"), Raised(signs("-")), Sign("3")), "2^- 3"),
        ((Sign("x"), Sign("2")), "x 2"),
        ((Bar(signs("a+b"), signs("2")),), "(a+b)/2"),
        ((Bar(signs("12"), signs("345")),), "12/345"),
        ((Bar(signs("2x"), signs("(a+b)")),), "(2x)/(a+b)"),
        ((Bar((HALF,), signs("3")),), "(1/2)/3"),
        ((Bar((), signs("3")),), "()/3"),
        ((Bar((Sign("sqrt"), *signs("(2)")), signs("2")),), "sqrt(2)/2"),
        ((HALF, Sign("x")), "(1/2)x"),
        ((Sign("2"), HALF), "2(1/2)"),
        ((HALF, HALF), "(1/2)(1/2)"),
        ((HALF, Raised(signs("2"))), "(1/2)^2"),
        ((HALF, Sign("div"), HALF), "1/2/(1/2)"),
        ((HALF, Sign("times"), HALF), "1/2*1/2"),
        ((Sign("-"), HALF, Sign("+"), HALF, Sign("="), HALF), "-1/2+1/2=1/2"),
        ((Sign("("), HALF, Sign(")")), "(1/2)"),
        (signs("3+"), "3+"),
        (signs(")("), ")("),
        ((Raised(signs("2")),), "^2"),
        ((Sign("2"), Sign("alpha")), "2alpha"),
        ((Sign("alpha"), Sign("x")), "alpha x"),
        (signs("pi"), "p i"),
        ((Sign("a"), Raised(signs("p")), Sign("i")), "a^p i"),
        ((Sign("x"), Sign("leq"), Sign("3")), "x<=3"),
        ((Sign("x"), Sign("lt"), Sign("=")), "x< ="),
        ((Sign("sum"), Sign("infty"), Sign("neq"), Sign("sqrt")), "sum infty neq sqrt"),
    ],
)
def test_the_text_of_a_row(row: Row, text: str) -> None:
    """Every rule of the canonical text, one by one; and the text reads back to the same text."""
    assert text_of(row) == text
    assert text_of(row_of(text)) == text


@pytest.mark.parametrize("label", ALL)
def test_every_class_has_a_text_that_reads_back(label: str) -> None:
    """A single symbol of any label set is read from its own text, but for the two signs of division."""
    row = (Sign(label),)
    expected = "forward_slash" if label == "div" else label
    assert text_of(row).isascii()
    assert row_of(text_of(row)) == (Sign(expected),)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        (" 3 x ^ 2 - 7 x ", "3x^2-7x"),
        ("3×4÷5−6", "3*4/5-6"),
        ("2^12", "2^(12)"),
        ("2^12 2^11", "2^(12)2^(11)"),
        ("x^-1", "x^(-1)"),
        ("x^-12y", "x^(-12)y"),
        ("9^9^9^9", "9^(9^(9^9))"),
        ("x^(a+b)^2", "x^((a+b)^2)"),
        ("a^xa^y", "a^xa^y"),
        ("2^1 3^2", "2^1 3^2"),
        ("x≤3", "x<=3"),
        ("x^", "x^()"),
        ("2 π", "2pi"),
    ],
)
def test_what_people_type_is_read(typed: str, canonical: str) -> None:
    """Spaces, other signs and exponents without brackets are read."""
    assert text_of(row_of(typed)) == canonical


@pytest.mark.parametrize("text", ["2$", "²", "\\frac{1}{2}", "x_1", "é", "x" * 10_001, "^(" * 40 + ")" * 40, "9^" * 99])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    """A character that no label set has, and a text that is too long or too deep, are refused in one line."""
    with pytest.raises(NotAnExpressionError) as refused:
        row_of(text)
    assert refused.value.reason
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("(a+b)/(2)", "(a+b)/2"),
        ("(12)/(x)", "12/x"),
        ("x^(2)", "x^2"),
        ("2^12 2^11", "2^(12)2^(11)"),
        ("3 × 4 ÷ 5", "3*4/5"),
        ("2^(10)", "2^10"),
        ("<no", "<no"),
        ("$", " $ "),
    ],
)
def test_the_same_expression(one: str, other: str) -> None:
    """What differs in how it is written down alone is the same."""
    assert same_expression(one, other)
    assert same_expression(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1+2", "2+1"),
        ("2^10", "2^1 0"),
        ("2^(12)", "2^1 2"),
        ("6/2x", "6/(2x)"),
        ("2(3)/4", "23/4"),
        ("1/(2)3", "1/23"),
        ("(2)^3/4", "2^3/4"),
        ("(x)", "x"),
        ("(2)+3", "2+3"),
        ("x^23", "x^2 3"),
        ("x^2y", "x^(2y)"),
        ("2^3^4", "(2^3)^4"),
        ("-x^2", "(-x)^2"),
        ("xX", "xx"),
        ("pi", "p i"),
        ("x<=3", "x< =3"),
        ("1", ""),
        ("$", "2"),
        ("1/2/3", "1/(2/3)"),
        ("5", "5="),
    ],
)
def test_different_expressions(one: str, other: str) -> None:
    """What is not written the same is not the same, whatever its value."""
    assert not same_expression(one, other)
    assert not same_expression(other, one)


def _plain(row: Row) -> Row:
    """Return a row as its text can tell it: neighbouring superscripts as one, both signs of division alike."""
    plain: list[Sign | Raised | Bar] = []
    for item in merged(row):
        if isinstance(item, Raised):
            inner = _plain(item.inner)
            idle = is_enclosed(inner) and needs_brackets(inner[1:-1])
            plain.append(Raised(inner[1:-1] if idle else inner))
        else:
            assert isinstance(item, Sign)
            plain.append(Sign("forward_slash" if item.label == "div" else item.label))
    return tuple(plain)


@given(any_rows(bars=False))
@settings(max_examples=80, deadline=None)
def test_a_row_without_bars_is_read_from_its_text(row: Row) -> None:
    """Signs and superscripts come back as they were laid out."""
    assert row_of(text_of(row)) == _plain(row)


@given(any_rows(bars=True))
@settings(max_examples=80, deadline=None)
def test_a_text_read_and_written_is_the_same_text(row: Row) -> None:
    """The canonical text is canonical."""
    assert text_of(row_of(text_of(row))) == text_of(row)
    assert same_expression(text_of(row), text_of(row))


@given(expressions())
@settings(max_examples=80, deadline=None)
def test_a_text_means_what_the_row_means(row: Row) -> None:
    """A row and its text have one value, although the text has no bars."""
    values: list[object] = []
    for tree in (parse(row), parse(row_of(text_of(row)))):
        assert not isinstance(tree, Relation)
        try:
            values.append(dict(Expansion().polynomial(tree).terms))
        except (NoValueError, NotPolynomialError, TooManyTermsError) as error:
            values.append(type(error))
    assert values[0] == values[1]


@given(reckless_rows())
@settings(max_examples=80, deadline=None)
def test_any_row_has_a_text_and_latex(row: Row) -> None:
    """Nothing that a reader may hand over raises."""
    assert isinstance(text_of(row), str)
    assert isinstance(latex_of(row), str)


@given(st.text(max_size=40))
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text does worse than to be refused."""
    try:
        row = row_of(text)
    except NotAnExpressionError:
        assert same_expression(text, text)
        return
    assert text_of(row_of(text_of(row))) == text_of(row)


def test_a_row_that_nests_without_end_has_a_text() -> None:
    """What is deeper than can be read is left out, and nothing overflows."""
    row: Row = signs("1")
    for _ in range(5_000):
        row = (Sign("2"), Raised(row))
    assert text_of(row).count("2^") == 33
    assert "..." in text_of(row)
    assert "\\ldots" in latex_of(row)
