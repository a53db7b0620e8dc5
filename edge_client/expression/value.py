"""What an expression comes to, in words and signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

from edge_client.expression.latex import latex_of
from edge_client.expression.row import Row
from edge_client.expression.text import text_of
from edge_client.expression.tree import Letter, Node
from edge_client.expression.writing import decimal_row, number_row, written

ValueKind: TypeAlias = Literal["number", "solutions", "truth", "form", "none"]
VALUE_KINDS: tuple[ValueKind, ...] = get_args(ValueKind)

_MAX_SIDE = 40
_DECIMAL_PLACES = 12


@dataclass(frozen=True)
class Value:
    """What an expression comes to.

    Attributes:
        text: such as ``7/3``, ``x = 2/3 or x = 1``, ``false: 2 is not 3``, ``no value: division by zero``; empty where
            there is nothing to say.
        latex: the same.
        kind: ``number``; ``solutions`` of an equation, also if there are none; ``truth`` of a relation without
            unknowns; ``form``, a shorter or multiplied-out way to write it; ``none``.
    """

    text: str
    latex: str
    kind: ValueKind


NOTHING = Value("", "", "none")


def words(text: str, kind: ValueKind) -> Value:
    """Return a value in words alone."""
    return Value(text, f"\\text{{{_plain(text)}}}", kind)


def no_value(reason: str) -> Value:
    """Return that there is no value, and why."""
    return words(f"no value: {reason}", "none")


def number(value: Fraction, *, decimal: bool = False) -> Value:
    """Return a number; as a decimal if asked for and that is exact and short."""
    return _about(*number_as_row(value, decimal=decimal))


def row_number(row: Row, *, exact: bool) -> Value:
    """Return a number that is already written down."""
    return _about(row, exact)


def form(node: Node) -> Value:
    """Return another way to write an expression."""
    row = written(node)
    return Value(text_of(row), latex_of(row), "form")


def solutions(letter: str, rows: Sequence[Row], *, exact: bool = True) -> Value:
    """Return the solutions of an equation: ``x = 2/3 or x = 1``, ``x is about -0.3473 or 1.53209``."""
    name = written(Letter(letter))
    texts = [text_of(row) for row in rows]
    latexes = [latex_of(row) for row in rows]
    if exact:
        text = " or ".join(f"{text_of(name)} = {text}" for text in texts)
    else:
        text = f"{text_of(name)} is about {listed(texts, last='or')}"
    relation = "=" if exact else "\\approx"
    latex = "\\text{ or }".join(f"{latex_of(name)} {relation} {latex}" for latex in latexes)
    return Value(text, latex, "solutions")


def no_real_solution(letter: str, complex_rows: Sequence[Row]) -> Value:
    """Return that an equation has no real solution, and the complex ones if they are short."""
    complex_ones = solutions(letter, complex_rows)
    if not complex_rows or len(complex_ones.text) > 60:
        return words("no real solution", "solutions")
    return Value(
        f"no real solution (complex: {complex_ones.text})",
        f"\\text{{no real solution (complex: }}{complex_ones.latex}\\text{{)}}",
        "solutions",
    )


def true_for_every(letters: Sequence[str], *, but: str = "") -> Value:
    """Return that an equation holds whatever its unknowns are, but for what it says."""
    return words(f"true for every {listed(letters)}{but}", "solutions")


def truth(holds: bool, *, why: str = "") -> Value:
    """Return whether a relation holds, and why not."""
    return words("true" if holds else f"false: {why}" if why else "false", "truth")


def not_so(left: Fraction, sign: str, right: Fraction, *, decimal: bool = False) -> str:
    """Return why a relation between numbers does not hold: ``2 is not 3``; empty if that would be long."""
    said = {"=": "is not", "neq": "is", "lt": "is not less than", "gt": "is not more than"}
    said |= {"leq": "is more than", "geq": "is less than"}
    rows = [number_as_row(value, decimal=decimal) for value in (left, right)]
    texts = [text_of(row) for row, _ in rows]
    if not all(exact for _, exact in rows) or max(map(len, texts)) > _MAX_SIDE:
        return ""
    return f"{texts[0]} {said[sign]} {texts[1]}"


def listed(items: Sequence[str], *, last: str = "and") -> str:
    """Return items as a list in words: ``a, b and x``."""
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def number_as_row(value: Fraction, *, decimal: bool) -> tuple[Row, bool]:
    """Return a number as a row, as a decimal if asked for and that is exact and short, and whether the row is exact."""
    short = decimal_row(value, places=_DECIMAL_PLACES) if decimal and abs(value) < 10**15 else None
    return number_row(value) if short is None else (short, True)


def _about(row: Row, exact: bool) -> Value:
    if exact:
        return Value(text_of(row), latex_of(row), "number")
    return Value(f"about {text_of(row)}", f"\\approx {latex_of(row)}", "number")


def _plain(text: str) -> str:
    """Return a text for LaTeX's text mode."""
    special = {"\\": "\\textbackslash{}", "^": "\\textasciicircum{}", "~": "\\textasciitilde{}"}
    return "".join(special.get(sign, f"\\{sign}" if sign in "#$%&_{}" else sign) for sign in text)
