"""From a text to a row: the canonical text, and what people type for it."""

from __future__ import annotations

import re

from edge_client.expression.refusal import NotAnExpressionError
from edge_client.expression.row import Raised, Row, Sign
from edge_client.expression.shape import MAX_DEPTH, is_factor_after, is_factor_before, is_number
from edge_client.expression.spelling import DIVIDING, SUMMING, WORDS, is_digit, is_letter
from edge_client.expression.text import needs_brackets, text_of
from shared.labels import ALL, canonical_label

MAX_CHARACTERS = 10_000
"""How long a text may be to be read."""

_SYMBOL = re.compile(r"<=|>=|[A-Za-z]+|\S")
_LABEL_OF = {"<=": "leq", ">=": "geq", "·": "times", "⋅": "times", "∗": "times", "–": "-", "∕": "forward_slash"}
_KNOWN = frozenset(ALL) | {":"}


def row_of(text: str) -> Row:
    """Return the row that a text writes; every symbol's index is -1.

    `text_of` of it is the same text, if that was canonical. Also read: spaces anywhere, ``×``, ``÷``, ``−`` and other
    spellings of a label; an exponent of several digits, or with a sign, without brackets (``2^12``, ``x^-1``), up to a
    space; a tower without brackets (``9^9^9`` is ``9^(9^9)``). ``/`` is read as a sign, never as a fraction's bar.

    Raises:
        NotAnExpressionError: the text has more than `MAX_CHARACTERS`, has a character that is in no label set, or nests
            exponents deeper than `MAX_DEPTH`.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotAnExpressionError(f"the text has {len(text)} characters; {MAX_CHARACTERS} at most can be read")
    return _Reader(text).items(0, None, 0)


def same_expression(one: str, other: str) -> bool:
    """Return whether two texts write the same, up to how it is written down.

    Both are read by `row_of` and compared as canonical text. Beyond that, only brackets around a single letter or a
    number that is an exponent or stands beside ``/`` do not count: ``(a+b)/(2)`` is ``(a+b)/2``. Texts of equal value
    are not the same: ``1+2`` is not ``2+1``. A text that cannot be read is the same as itself alone.
    """
    try:
        return _compared(one) == _compared(other)
    except NotAnExpressionError:
        return one.strip() == other.strip()


class _Reader:
    """Reads one text by recursion over its exponents."""

    def __init__(self, text: str) -> None:
        self._symbols: list[tuple[str, bool]] = []
        end = 0
        for found in _SYMBOL.finditer(text):
            spaced = found.start() > end
            end = found.end()
            labels = _labels(found.group())
            self._symbols += [(label, spaced and i == 0) for i, label in enumerate(labels)]
        self._closed_at: dict[int, int] = {}
        opened: list[int] = []
        for i, (label, _) in enumerate(self._symbols):
            if label == "(":
                opened.append(i)
            elif label == ")" and opened:
                self._closed_at[opened.pop()] = i

    def items(self, start: int, end: int | None, depth: int) -> Row:
        """Read the symbols from ``start`` up to ``end``."""
        if depth > MAX_DEPTH:
            raise NotAnExpressionError(f"exponents stand in each other more than {MAX_DEPTH} deep")
        row: list[Sign | Raised] = []
        at, end = start, len(self._symbols) if end is None else end
        while at < end:
            label, _ = self._symbols[at]
            at += 1
            if label == "^":
                inner, at = self._exponent(at, end, depth + 1)
                row.append(Raised(inner))
            else:
                row.append(Sign(label))
        return tuple(row)

    def _exponent(self, at: int, end: int, depth: int) -> tuple[Row, int]:
        """Read the exponent that starts at a symbol; return it and where it ends."""
        if depth > MAX_DEPTH:
            raise NotAnExpressionError(f"exponents stand in each other more than {MAX_DEPTH} deep")
        if at == end or self._symbols[at][0] == "^":
            return (), at
        row: Row
        closed = self._closed_at.get(at, end)
        if closed < end:
            enclosed = self.items(at, closed + 1, depth)
            at = closed + 1
            # Brackets that the text would have anyway are not the writer's; what is raised in turn keeps its own.
            towering = at < end and self._symbols[at] == ("^", False)
            row = enclosed if towering or not needs_brackets(enclosed[1:-1]) else enclosed[1:-1]
        else:
            stop = self._bare(at, end)
            row, at = tuple(Sign(label) for label, _ in self._symbols[at:stop]), stop
        if at < end and self._symbols[at] == ("^", False):
            upper, at = self._exponent(at + 1, end, depth + 1)
            row = (*row, Raised(upper))
        return row, at

    def _bare(self, at: int, end: int) -> int:
        """Return where an exponent without brackets ends: after one symbol, a number, or a sign with one of these."""
        stop = at + 1
        if self._symbols[at][0] in SUMMING and stop < end:
            label, spaced = self._symbols[stop]
            if spaced or not (is_digit(label) or is_letter(label) or label in WORDS):
                return stop
            at, stop = stop, stop + 1
        if is_digit(self._symbols[at][0]):
            while stop < end and is_digit(self._symbols[stop][0]) and not self._symbols[stop][1]:
                stop += 1
        return stop


def _labels(symbol: str) -> list[str]:
    if symbol in _LABEL_OF:
        return [_LABEL_OF[symbol]]
    if symbol == "^" or symbol in WORDS:
        return [symbol]
    found = list(symbol) if symbol.isascii() and symbol.isalpha() else [canonical_label(symbol)]
    for label in found:
        if label not in _KNOWN:
            raise NotAnExpressionError(f"{label!r} is no symbol that is known here")
    return found


def _compared(text: str) -> str:
    return text_of(_without_idle_brackets(row_of(text)))


def _without_idle_brackets(row: Row) -> Row:
    kept: list[Sign | Raised] = []
    at = 0
    while at < len(row):
        item = row[at]
        closing = _closing(row, at)
        if isinstance(item, Raised):
            inner = _without_idle_brackets(item.inner)
            kept.append(Raised(inner[1:-1] if _closing(inner, 0) == len(inner) - 1 else inner))
        elif closing is not None and _beside_slash(row, at, closing):
            kept += [sign for sign in row[at + 1 : closing] if isinstance(sign, Sign)]
            at = closing
        elif isinstance(item, Sign):
            kept.append(item)
        at += 1
    return tuple(kept)


def _closing(row: Row, at: int) -> int | None:
    """Return where the brackets are closed that open at an item, if they hold a single letter or a number."""
    if row[at : at + 1] != (Sign("("),):
        return None
    closing = at + 1
    while closing < len(row) and is_number(row[closing : closing + 1]):
        closing += 1
    if closing == at + 1 and closing < len(row):
        only = row[closing]
        closing += isinstance(only, Sign) and is_letter(only.label)
    return closing if closing > at + 1 and row[closing : closing + 1] == (Sign(")"),) else None


def _beside_slash(row: Row, opening: int, closing: int) -> bool:
    before = row[opening - 1] if opening else None
    after = row[closing + 1] if closing + 1 < len(row) else None
    slash = any(isinstance(item, Sign) and item.label in DIVIDING for item in (before, after))
    return slash and not is_factor_before(before) and not is_factor_after(after)
