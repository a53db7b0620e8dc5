"""What a person does to a reading: says what a symbol is, splits one, joins two, throws one away, undoes it.

Every step returns the reading as it is then; a line that a person has touched is read anew with what they said as
given, so that the rest of the line profits at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_client.page.shelf import InkKey, Shelved, ink_key, symbols_of
from edge_client.reading.edit import split as split_ink
from edge_client.reading.recogniser import Recogniser
from edge_client.reading.result import Line, Symbol
from edge_client.vision.ink import InkPart, united
from shared.errors import DataError
from shared.sample import Sample

_SAME_BOX = 0.8


class NoSuchSymbolError(DataError):
    """The reading has no such line or symbol."""


def confirm(shelved: Shelved, recogniser: Recogniser, *, line: int, symbol: int, label: str) -> Shelved:
    """Take a person's word for one symbol, and read the line anew with it.

    Raises:
        NoSuchSymbolError: the reading has no such symbol.
        DataError: the reader does not know the label.
    """
    if label not in recogniser.labels:
        raise DataError(f"the reader does not know the label {label!r}")
    found = symbol_at(shelved, line=line, symbol=symbol)
    key = ink_key(found.ink)
    told = replace(shelved, said={**shelved.said, key: label}, learnt=shelved.learnt | {key})
    return _read_anew(told, recogniser, line=line, inks=[one.ink for one in shelved.reading.lines[line].symbols])


def confirm_line(shelved: Shelved, *, line: int) -> Shelved:
    """Take a person's word that a whole line is right.

    Raises:
        NoSuchSymbolError: the reading has no such line.
    """
    symbols = line_at(shelved, line=line).symbols
    said = {ink_key(symbol.ink): symbol.label for symbol in symbols}
    told = replace(shelved, said={**shelved.said, **said}, learnt=shelved.learnt | said.keys())
    return told.with_reading(shelved.reading)


def split(shelved: Shelved, recogniser: Recogniser, *, line: int, symbol: int) -> Shelved:
    """Cut a symbol's ink in two.

    Raises:
        NoSuchSymbolError: the reading has no such symbol.
        DataError: the ink is too narrow.
    """
    found = symbol_at(shelved, line=line, symbol=symbol)
    try:
        parts = split_ink(found.ink)
    except ValueError:
        raise DataError("this symbol is too narrow to be split") from None
    return _with_inks(shelved, recogniser, line=line, without=[symbol], and_with=parts)


def join(shelved: Shelved, recogniser: Recogniser, *, line: int, symbols: Sequence[int]) -> Shelved:
    """Make one symbol of several.

    Raises:
        NoSuchSymbolError: the reading has no such symbols.
        DataError: there are not at least two.
    """
    chosen = sorted(set(symbols))
    if len(chosen) < 2:
        raise DataError("choose two symbols to join")
    inks = [symbol_at(shelved, line=line, symbol=symbol).ink for symbol in chosen]
    return _with_inks(shelved, recogniser, line=line, without=chosen, and_with=[united(inks)])


def discard(shelved: Shelved, recogniser: Recogniser, *, line: int, symbol: int) -> Shelved:
    """Throw a symbol away; a line without any is gone.

    Raises:
        NoSuchSymbolError: the reading has no such symbol.
    """
    symbol_at(shelved, line=line, symbol=symbol)
    return _with_inks(shelved, recogniser, line=line, without=[symbol], and_with=[])


def undo(shelved: Shelved) -> Shelved:
    """Take the last step back. What was learnt from it stays learnt, until the symbol is said to be something else.

    Raises:
        DataError: there was no step.
    """
    if shelved.before is None:
        raise DataError("there is nothing to undo")
    return replace(shelved.before, revision=shelved.revision + 1)


def samples_to_learn(before: Shelved, after: Shelved) -> list[tuple[Sample, str]]:
    """Return what a step has made known: samples and labels of symbols that were not learnt so before."""
    return [
        (symbol.sample, label)
        for _, _, _, symbol in symbols_of(before.reading)
        if (key := ink_key(symbol.ink)) in after.learnt
        and (label := after.said[key])
        and (key not in before.learnt or before.said[key] != label)
    ]


def carried_over(before: Shelved, after: Shelved, recogniser: Recogniser) -> Shelved:
    """Take what was said about a drawing over to the same drawing with more in it: what stands at the same place."""
    said: dict[InkKey, str] = {}
    learnt: set[InkKey] = set()
    old = [symbol for _, _, _, symbol in symbols_of(before.reading) if ink_key(symbol.ink) in before.said]
    for _, _, _, symbol in symbols_of(after.reading):
        for one in old:
            if _overlap(one, symbol) >= _SAME_BOX:
                said[ink_key(symbol.ink)] = before.said[ink_key(one.ink)]
                if ink_key(one.ink) in before.learnt:
                    learnt.add(ink_key(symbol.ink))
    told = replace(after, said=said, learnt=frozenset(learnt))
    for at, line in enumerate(told.reading.lines):
        if any(said.get(ink_key(symbol.ink), symbol.label) != symbol.label for symbol in line.symbols):
            told = _read_anew(told, recogniser, line=at, inks=[symbol.ink for symbol in line.symbols])
    return replace(told, revision=before.revision + 1, before=None)


def line_at(shelved: Shelved, *, line: int) -> Line:
    """Return a line of the reading.

    Raises:
        NoSuchSymbolError: there is none.
    """
    if not 0 <= line < len(shelved.reading.lines):
        raise NoSuchSymbolError(f"the reading has no line {line}")
    return shelved.reading.lines[line]


def symbol_at(shelved: Shelved, *, line: int, symbol: int) -> Symbol:
    """Return a symbol of the reading.

    Raises:
        NoSuchSymbolError: there is none.
    """
    symbols = line_at(shelved, line=line).symbols
    if not 0 <= symbol < len(symbols):
        raise NoSuchSymbolError(f"line {line} of the reading has no symbol {symbol}")
    return symbols[symbol]


def _with_inks(
    shelved: Shelved, recogniser: Recogniser, *, line: int, without: Sequence[int], and_with: Sequence[InkPart]
) -> Shelved:
    symbols = shelved.reading.lines[line].symbols
    inks = [symbol.ink for index, symbol in enumerate(symbols) if index not in without]
    at = min(without)
    return _read_anew(shelved, recogniser, line=line, inks=[*inks[:at], *and_with, *inks[at:]])


def _read_anew(shelved: Shelved, recogniser: Recogniser, *, line: int, inks: Sequence[InkPart]) -> Shelved:
    keys = [ink_key(ink) for ink in inks]
    fixed = {index: shelved.said[key] for index, key in enumerate(keys) if key in shelved.said}
    return shelved.with_reading(recogniser.reread(shelved.reading, line=line, inks=inks, fixed=fixed))


def _overlap(one: Symbol, other: Symbol) -> float:
    """Return the intersection of two boxes over their union."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = one.box, other.box
    wide = min(ax + aw, bx + bw) - max(ax, bx)
    high = min(ay + ah, by + bh) - max(ay, by)
    shared = max(0, wide) * max(0, high)
    return shared / (aw * ah + bw * bh - shared)
