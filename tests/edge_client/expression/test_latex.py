"""LaTeX of rows."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from edge_client.expression import latex_of
from edge_client.expression.row import Bar, Raised, Row, Sign
from shared.labels import ALL
from tests.edge_client.expression.rows import any_rows, signs

# What KaTeX's table of supported functions has, of all that may be written here.
KATEX = {
    *("frac", "times", "div", "surd", "sqrt", "prime", "pm", "neq", "leq", "geq", "in", "forall", "exists"),
    *("alpha", "beta", "gamma", "Delta", "theta", "lambda", "mu", "pi", "sigma", "phi"),
    *("sin", "cos", "tan", "log", "lim", "sum", "int", "infty", "ldots", "rightarrow"),
}


@pytest.mark.parametrize(
    ("row", "latex"),
    [
        ((Sign("2"), Sign("times"), Sign("3"), Sign("div"), Sign("x")), "2\\times 3\\div x"),
        ((Bar(signs("a+b"), signs("2")),), "\\frac{a+b}{2}"),
        ((Sign("x"), Raised(signs("10"))), "x^{10}"),
        ((Raised(signs("2")),), "{}^{2}"),
        ((Bar(signs("1"), signs("2")), Raised(signs("2"))), "{\\frac{1}{2}}^{2}"),
        ((Sign("x"), Raised(signs("2")), Sign("prime")), "x^{2}\\prime "),
        ((Sign("{"), Sign("ascii_124"), Sign("}")), "\\{|\\}"),
        ((Sign("sqrt"), *signs("(2)")), "\\sqrt{2}"),
        ((Sign("sqrt"), Sign("2")), "\\surd 2"),
        ((Sign("my_class"),), "\\mathrm{my\\_class}"),
    ],
)
def test_the_latex_of_a_row(row: Row, latex: str) -> None:
    """Signs, superscripts, fractions and roots in LaTeX."""
    assert latex_of(row) == latex


@pytest.mark.parametrize("label", ALL)
def test_every_class_is_known_to_katex(label: str) -> None:
    """A class is a character or a command that KaTeX has."""
    latex = latex_of((Sign(label),))
    commands = re.findall(r"\\([A-Za-z]+)", latex)
    assert set(commands) <= KATEX
    assert commands or len(latex.removeprefix("\\")) == 1


@given(any_rows(bars=True))
@settings(max_examples=60, deadline=None)
def test_latex_is_balanced(row: Row) -> None:
    """Braces match, no base has two superscripts, and no command runs into a letter."""
    latex = latex_of(row).replace("\\{", "").replace("\\}", "")
    depth = 0
    for character in latex:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"\^\{[^{}]*\}\^", latex)
    assert set(re.findall(r"\\([A-Za-z]+)", latex)) <= KATEX
