"""Readings made by hand, without a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_client.expression import row_of
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.reading.result import Line, Reading, Symbol
from edge_client.vision.ink import InkPage, InkPart

WIDTH, HEIGHT = 1280, 720

_INK = InkPart(np.full((4, 4), 255, np.uint8), 0, 0)
_SAMPLE = np.zeros((45, 45), np.uint8)


def a_line(
    text: str | Row, *, x: int = 100, y: int = 200, confidence: float = 0.97, doubts: dict[int, float] | None = None
) -> Line:
    """Make a line of symbols 40 pixels wide and 60 high, 20 apart; ``doubts`` are confidences by symbol."""
    labels: list[str] = []
    row = _numbered(row_of(text) if isinstance(text, str) else text, labels)
    symbols = tuple(
        Symbol(label, (x + 60 * i, y, 40, 60), (doubts or {}).get(i, confidence), (("1", 0.02),), _INK, _SAMPLE)
        for i, label in enumerate(labels)
    )
    return Line(row, symbols, (x, y, 60 * len(labels) - 20, 60), confidence)


def a_reading(*lines: Line, width: int = WIDTH, height: int = HEIGHT) -> Reading:
    """Make a reading of some lines."""
    return Reading(lines, InkPage((), width, height, 3.0, np.eye(3)), width, height)


def _numbered(row: Row, labels: list[str]) -> Row:
    """Name the symbols of a row in reading order, and gather their labels."""
    numbered: list[Sign | Raised | Bar] = []
    for item in row:
        if isinstance(item, Raised):
            numbered.append(Raised(_numbered(item.inner, labels)))
            continue
        labels.append(item.label if isinstance(item, Sign) else "-")
        named = replace(item, symbol=len(labels) - 1)
        if isinstance(named, Bar):
            over = _numbered(named.numerator, labels)
            named = replace(named, numerator=over, denominator=_numbered(named.denominator, labels))
        numbered.append(named)
    return tuple(numbered)
