"""Values by exact arithmetic."""

from __future__ import annotations

import subprocess
import sys
import time
from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_client.expression import parse, row_of
from edge_client.expression.answer import answer
from edge_client.expression.exact import Expansion, NotPolynomialError
from edge_client.expression.limits import NoValueError, root
from edge_client.expression.polynomial import TooManyTermsError
from edge_client.expression.roots import roots_of, value_at
from edge_client.expression.row import Row
from edge_client.expression.sympy_tree import to_sympy
from edge_client.expression.tree import Number, Relation
from edge_client.expression.value import Value
from tests.edge_client.expression.rows import expressions


def _answer(text: str) -> Value:
    value = answer(parse(row_of(text)), decimal="." in text)
    assert value is not None
    return value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+2*3", "7"),
        ("7/3", "7/3"),
        ("-4/6", "-2/3"),
        ("2^(10)", "1024"),
        ("2^(-2)", "1/4"),
        ("8^(2/3)", "4"),
        ("(4/9)^(1/2)", "2/3"),
        ("5!", "120"),
        ("0.1+0.2", "0.3"),
        ("1.0/3", "1/3"),
        ("10^(200)", "10^(200)"),
        ("3*10^(-200)", "3*10^(-200)"),
        ("7^(100)", "about 3.23448*10^(84)"),
    ],
)
def test_numbers(text: str, value: str) -> None:
    """Numbers are exact, and very long ones are powers of ten."""
    assert _answer(text) == Value(value, _answer(text).latex, "number")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1/0", "division by zero"),
        ("x/(2-2)", "division by zero"),
        ("x/(x-x)", "division by zero"),
        ("0^(-1)", "division by zero"),
        ("0^0", "0^0 is not defined"),
        ("(-8)^(1/3)", "the root of a negative number is not real"),
        ("9^9^9^9", "the number is too large"),
        ("9^9^9^9=x", "the number is too large"),
        ("x^9^9^9", "the number is too large"),
        ("x^(99999)", "the exponent is too large"),
        ("(9^(9999))!", "the number is too large"),
        ("(1/2)!", "! needs a whole number from 0"),
        ("0*9^9^9", "the number is too large"),
    ],
)
def test_what_has_no_value_says_why_at_once(text: str, reason: str) -> None:
    """Division by zero and hostile powers are answered in words, before anything large is computed."""
    started = time.process_time()
    assert _answer(text).text == f"no value: {reason}"
    assert _answer(text).kind == "none"
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1+1=2", "true"),
        ("1+1=3", "false: 2 is not 3"),
        ("1/2+4=5/2", "false: 9/2 is not 5/2"),
        ("2+2=4=5", "false: 4 is not 5"),
        ("1<2", "true"),
        ("2<=1", "false: 2 is more than 1"),
        ("7^(100)=1", "false"),
        ("0.5=0.25", "false: 0.5 is not 0.25"),
    ],
)
def test_truths(text: str, value: str) -> None:
    """Relations of numbers are true or false, and say what is not so."""
    assert (_answer(text).text, _answer(text).kind) == (value, "truth")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x+1=5", "x = 2"),
        ("3x=2", "x = 2/3"),
        ("0.5x=0.2", "x = 0.4"),
        ("5+7=x", "x = 12"),
        ("3x^2-5x+2=0", "x = 2/3 or x = 1"),
        ("x^2+2x+1=0", "x = -1"),
        ("x^2=8", "x = -2sqrt(2) or x = 2sqrt(2)"),
        ("x^2+5x-2=0", "x = (-5-sqrt(33))/2 or x = (-5+sqrt(33))/2"),
        ("-x^2+x+1=0", "x = (1-sqrt(5))/2 or x = (1+sqrt(5))/2"),
        ("x^3=18x+35", "x = 5"),
        ("x^4-5x^2+4=0", "x = -2 or x = -1 or x = 1 or x = 2"),
        ("x^3=x^2", "x = 0 or x = 1"),
        ("x^2+1=0", "no real solution (complex: x = -i or x = i)"),
        ("1/x=x-1", "x = (1-sqrt(5))/2 or x = (1+sqrt(5))/2"),
        ("x^2/x=0", "no solution"),
        ("x=x+1", "no solution"),
        ("x=2=3", "no solution"),
        ("x=1=x^2", "x = 1"),
        ("x=x", "true for every x"),
        ("(a+b)^2=a^2+2ab+b^2", "true for every a and b"),
        ("1/a=b/(ab)", "true for every a and b but 0"),
        ("x/a=x/a", "true for every x and a, a not 0"),
        ("x+y=4+y", "x = 4"),
        ("x+y=3", "x = 3-y"),
        ("2x+3y=26", "x = (26-3y)/2"),
        ("y=(x+1)^2", "y = x^2+2x+1"),
    ],
)
def test_solutions(text: str, value: str) -> None:
    """Equations are solved exactly."""
    assert (_answer(text).text, _answer(text).kind) == (value, "solutions")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(x+1)^2", "x^2+2x+1"),
        ("x+x", "2x"),
        ("5x-(1/4)x+1/4", "(19x+1)/4"),
        ("(x^4)/(2^3)-(2/x)^(-4)", "(x^4)/16"),
        ("a^2-2ab", ""),
        ("(3/4)x", ""),
        ("3x/4", ""),
        ("b*a", ""),
        ("2-x^2+x", ""),
        ("(1+x)/(x^2)", ""),
        ("(x+1)^(40)", ""),
        ("y=2x", ""),
        ("x", ""),
    ],
)
def test_forms(text: str, value: str) -> None:
    """Another form is given where it says more, and is short."""
    assert (_answer(text).text, _answer(text).kind) == (value, "form" if value else "none")


def test_what_is_not_solved_says_what_it_is_about() -> None:
    """An equation in several unknowns that is not linear is named."""
    assert _answer("x^2+y^2=z^2").text == "an equation in x, y and z"
    assert _answer("x<y").text == "an inequality in x and y"


@pytest.mark.parametrize("text", ["2^(1/2)", "x^3=2", "1/(x+1)", "2^x=8", "pi", "(x+1)^(999)=0"])
def test_what_takes_algebra_is_left_to_it(text: str) -> None:
    """Roots, cubics, divisions by sums and unknown exponents are not answered here."""
    assert answer(parse(row_of(text))) is None


def test_answering_needs_no_heavy_library() -> None:
    """Neither SymPy nor NumPy is loaded for what is answered exactly."""
    program = (
        "import sys; from edge_client.expression import Solver, row_of\n"
        "with Solver() as solver: assert solver.value(row_of('x^2=9')).text == 'x = -3 or x = 3'\n"
        "assert not {'sympy', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


@given(st.lists(st.fractions(-9, 9, max_denominator=6), min_size=2, max_size=6).filter(lambda found: found[-1] != 0))
@settings(max_examples=60, deadline=None)
def test_roots_are_those_sympy_finds(coefficients: list[Fraction]) -> None:
    """The rational roots are all of them, in order, and the real ones of a quadratic are SymPy's."""
    roots = roots_of(coefficients)
    symbol = sympy.Symbol("x")
    whole = sympy.Poly([sympy.Rational(c.numerator, c.denominator) for c in reversed(coefficients)], symbol)
    expected = [] if whole.is_ground else sorted(set(whole.real_roots(multiple=True)), key=lambda each: sympy.N(each))
    assert list(roots.rational) == [Fraction(int(r.p), int(r.q)) for r in expected if r.is_Rational]
    assert not any(value_at(coefficients, found) for found in roots.rational)
    if not roots.left:
        found = [to_sympy(node) for node in roots.real]
        assert [sympy.simplify(a - b) for a, b in zip(found, expected, strict=True)] == [0] * len(expected)


@given(expressions())
@settings(max_examples=80, deadline=None)
def test_expansion_agrees_with_sympy(row: Row) -> None:
    """What is multiplied out here has SymPy's value at a point."""
    tree = parse(row)
    assert not isinstance(tree, Relation)
    try:
        expanded = Expansion().polynomial(tree)
        Expansion().check(tree)
    except (NoValueError, NotPolynomialError, TooManyTermsError):
        return
    point = {sympy.Symbol(name): sympy.Rational(i + 2, 7) for i, name in enumerate("xyab")}
    assert to_sympy(expanded.node()).subs(point) == to_sympy(tree).subs(point)


@given(st.fractions(0, 50), st.integers(1, 6))
def test_a_root_of_a_power_is_its_base(base: Fraction, degree: int) -> None:
    """Exact roots are found, and inexact ones are not invented."""
    assert root(base**degree, degree) == base
    if degree > 1 and base > 0:
        assert root(base**degree + Fraction(1, 10**40), degree) is None


def test_repeated_parts_are_expanded_once() -> None:
    """Exponents in exponents cost no more than their number."""
    expansion = Expansion()
    tree = parse(row_of("((((x+1)^2+1)^2+1)^2+1)^2"))
    assert not isinstance(tree, Relation)
    started = time.process_time()
    expansion.check(tree)
    assert expansion.polynomial(tree).degree == 16
    assert time.process_time() - started < 10
    assert Number(Fraction(1)) == Number(Fraction(1))
