"""From a row to its one canonical text, in ASCII: ``3x^2-7x+9=-5``, ``(a+b)/2``, ``2^(10)``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from edge_client.expression.row import Raised, Row, Sign
from edge_client.expression.shape import MAX_DEPTH, is_enclosed, is_factor_after, is_factor_before, is_number, merged
from edge_client.expression.spelling import DIGITS, DIVIDING, SUMMING, WORDS, is_digit, is_letter, label_text


@dataclass(frozen=True)
class _Piece:
    """A piece of text that no space may part.

    Attributes:
        text: what is written.
        label: the sign's class; empty for what is written for the layout's sake.
        bare: it is a whole exponent, without brackets.
    """

    text: str
    label: str = ""
    bare: bool = False

    @property
    def word(self) -> bool:
        return self.text in WORDS


_OPEN, _CLOSE, _CARET, _SLASH, _TOO_DEEP = (_Piece(text) for text in ("(", ")", "^", "/", "..."))


def text_of(row: Row) -> str:
    """Return the canonical text of a row, well-formed or not.

    ``times`` is ``*``; both signs of division and a fraction's bar are ``/``. An exponent has brackets if it is more
    than a symbol, a numerator or denominator if it is more than a symbol or a number; brackets that were written
    around the whole of it are not doubled. A fraction has brackets beside a factor and after ``/``. A space stands
    where two symbols would be read as something else without it: ``2^1 3^2``, ``x 2``. What stands deeper than
    `MAX_DEPTH` superscripts and fractions is ``...``.
    """
    pieces = list(_pieces(row, 0))
    apart = _apart(pieces)
    written: list[str] = []
    for i, piece in enumerate(pieces):
        if i and (i in apart or _needs_space(pieces[i - 1], piece)):
            written.append(" ")
        written.append(piece.text)
    return "".join(written)


def needs_brackets(inner: Row) -> bool:
    """Return whether the text of an exponent has brackets of its own."""
    alone = len(inner) == 1 and isinstance(inner[0], Sign)
    return not alone and not is_enclosed(inner)


def _pieces(row: Row, depth: int) -> Iterator[_Piece]:
    if depth > MAX_DEPTH:
        yield _TOO_DEEP
        return
    items = list(merged(row))
    for i, item in enumerate(items):
        if isinstance(item, Sign):
            yield _Piece(label_text(item.label), item.label)
        elif isinstance(item, Raised):
            yield _CARET
            yield from _exponent(item.inner, depth + 1)
        else:
            before = items[i - 1] if i else None
            after = items[i + 1] if i + 1 < len(items) else None
            divided = isinstance(before, Sign) and before.label in DIVIDING
            beside = divided or is_factor_before(before) or is_factor_after(after)
            yield from [_OPEN] if beside else []
            yield from _side(item.numerator, depth + 1)
            yield _SLASH
            yield from _side(item.denominator, depth + 1)
            yield from [_CLOSE] if beside else []


def _exponent(inner: Row, depth: int) -> Iterator[_Piece]:
    if needs_brackets(inner):
        yield from (_OPEN, *_pieces(inner, depth), _CLOSE)
    elif len(inner) == 1 and isinstance(inner[0], Sign):
        yield _Piece(label_text(inner[0].label), inner[0].label, bare=True)
    else:
        yield from _pieces(inner, depth)


def _side(inner: Row, depth: int) -> Iterator[_Piece]:
    if needs_brackets(inner) and not is_number(inner) and not _is_root(inner):
        yield from (_OPEN, *_pieces(inner, depth), _CLOSE)
    else:
        yield from _pieces(inner, depth)


def _is_root(row: Row) -> bool:
    """Return whether a row is a root of what its brackets enclose."""
    return isinstance(row[0], Sign) and row[0].label == "sqrt" and is_enclosed(row[1:]) if row else False


def _apart(pieces: list[_Piece]) -> set[int]:
    """Return before which pieces a space holds letters apart that together spell a class's name."""
    apart: set[int] = set()
    start = 0
    for letters, run in groupby(pieces, key=lambda piece: is_letter(piece.label)):
        end = start + len(texts := [piece.text for piece in run])
        if letters and "".join(texts) in WORDS:
            apart.update(range(start + 1, end))
        start = end
    return apart


def _needs_space(before: _Piece, piece: _Piece) -> bool:
    if before.bare and ((is_digit(piece.label) and is_digit(before.label)) or before.label in SUMMING):
        return True
    named = before.word or piece.word
    if named and (before.word or is_letter(before.label)) and (piece.word or is_letter(piece.label)):
        return True
    if piece.label in DIGITS and (before.word or is_letter(before.label)):
        return True
    return before.text in ("<", ">") and piece.text == "="
