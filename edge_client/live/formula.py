"""An expression set as it is printed: powers raised, fractions with a bar, signs that keep their distance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.spelling import OPENING, RELATIONS, SUMMING
from edge_client.live.typeface import Typeface, digit_height

_SHOWN = {
    "-": "−", "times": "×", "div": "÷", "cdot": "·", "forward_slash": "/", "lt": "<", "gt": ">", "leq": "≤",
    "geq": "≥", "neq": "≠", "pm": "±", "prime": "′", "ascii_124": "|", "alpha": "α", "beta": "β", "gamma": "γ",
    "Delta": "Δ", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π", "sigma": "σ", "phi": "φ", "sqrt": "√",
    "sum": "∑", "int": "∫", "infty": "∞", "ldots": "…", "rightarrow": "→", "in": "∈", "forall": "∀", "exists": "∃",
}  # fmt: skip
_SPACED = RELATIONS | SUMMING | {"times", "div", "cdot"}

_SMALLER = 0.68  # of a power, to what it stands on
_SMALLEST_PX = 9
_RAISED = 0.42  # the foot of a power above the baseline, by the size
_AXIS = 0.26  # the height of a fraction's bar above the baseline, by the size
_DEEPEST = 6  # levels of powers and fractions


@dataclass(frozen=True)
class Text:
    """Some text on one baseline: ``x`` and ``y`` in pixels from the formula's origin, y downwards."""

    text: str
    x: int
    y: int
    size: int


@dataclass(frozen=True)
class Rule:
    """The bar of a fraction: its left end, its middle, its length and thickness, in pixels."""

    x: int
    y: int
    width: int
    thickness: int


@dataclass(frozen=True)
class Formula:
    """A row that was set. Its origin is the left end of its baseline.

    Attributes:
        width: in pixels.
        ascent: above the baseline, in pixels.
        descent: below the baseline, in pixels.
        texts: what is written.
        rules: the bars of fractions.
    """

    width: int
    ascent: int
    descent: int
    texts: tuple[Text, ...] = ()
    rules: tuple[Rule, ...] = ()


def shown(label: str) -> str:
    """Return a class as it is printed: ``×`` for ``times``."""
    return _SHOWN.get(label, label)


def typeset(row: Row, *, size: int, face: Typeface) -> Formula:
    """Set a row.

    Args:
        row: well-formed or not.
        size: of what stands on the line, in pixels.
        face: to measure with.
    """
    return _typeset(row, size, face, 0)


def _typeset(row: Row, size: int, face: Typeface, depth: int) -> Formula:
    if depth > _DEEPEST:
        return _words("…", size, face)
    parts: list[Formula] = []
    offsets: list[tuple[int, int]] = []
    x = 0
    for part, dy in _parts(row, size, face, depth):
        parts.append(part)
        offsets.append((x, dy))
        x += part.width
    if not parts:
        return _words("□", size, face)
    return _composed(parts, offsets, width=x)


def _parts(row: Row, size: int, face: Typeface, depth: int) -> Iterator[tuple[Formula, int]]:
    """Set every part of a row, with how far it stands below the baseline."""
    smaller = max(_SMALLEST_PX, round(size * _SMALLER))
    run = ""
    for i, item in enumerate(row):
        if isinstance(item, Sign):
            run += _spaced(row, i)
            continue
        if run:
            yield _words(run, size, face), 0
            run = ""
        if isinstance(item, Raised):
            inner = _typeset(item.inner, smaller, face, depth + 1)
            # What hangs below a power's baseline (a fraction) must not reach into what it stands on.
            yield inner, -round(_RAISED * size) - max(0, inner.descent - round(0.3 * smaller))
        else:
            yield _fraction(item, size, face, depth), 0
    if run:
        yield _words(run, size, face), 0


def _spaced(row: Row, i: int) -> str:
    """Return a sign with the spaces that are printed around an operator between two operands."""
    item = row[i]
    assert isinstance(item, Sign)
    before = row[i - 1] if i else None
    lone = before is None or (isinstance(before, Sign) and (before.label in _SPACED or before.label in OPENING))
    text = shown(item.label)
    if item.label == "," or (len(text) > 1 and text.isalpha()):
        return text + " "
    if item.label not in _SPACED or (lone and item.label in SUMMING):
        return text
    return f" {text} "


def _words(text: str, size: int, face: Typeface) -> Formula:
    return Formula(face.width(text, size=size), digit_height(size), round(0.22 * size), (Text(text, 0, 0, size),))


def _fraction(bar: Bar, size: int, face: Typeface, depth: int) -> Formula:
    inner = max(_SMALLEST_PX, round(size * 0.82))
    over = _typeset(bar.numerator, inner, face, depth + 1)
    under = _typeset(bar.denominator, inner, face, depth + 1)
    thickness, gap, margin = max(1, round(size / 16)), max(2, round(size / 7)), max(2, round(size / 8))
    width = max(over.width, under.width) + 2 * margin
    axis = -round(_AXIS * size)
    parts = _composed(
        [over, under],
        [
            ((width - over.width) // 2, axis - gap - over.descent),
            ((width - under.width) // 2, axis + gap + thickness + under.ascent),
        ],
        width=width + margin,
    )
    rule = Rule(margin // 2, axis, width - margin, thickness)
    return replace(parts, rules=(*parts.rules, rule))


def _composed(parts: list[Formula], offsets: list[tuple[int, int]], *, width: int) -> Formula:
    placed = list(zip(parts, offsets, strict=True))
    return Formula(
        width,
        max(part.ascent - dy for part, (_, dy) in placed),
        max(part.descent + dy for part, (_, dy) in placed),
        tuple(replace(text, x=text.x + dx, y=text.y + dy) for part, (dx, dy) in placed for text in part.texts),
        tuple(replace(rule, x=rule.x + dx, y=rule.y + dy) for part, (dx, dy) in placed for rule in part.rules),
    )
