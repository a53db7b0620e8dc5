"""A reading as JSON, as the command line and the page give it.

::

    {"file": "photo.jpg",
     "lines": [{"text": "3x+7=22", "latex": "3x+7=22", "value": "x = 5", "confidence": 0.97, "box": [x, y, w, h],
                "symbols": [{"label": "3", "box": [x, y, w, h], "confidence": 0.99,
                             "alternatives": [{"label": "5", "confidence": 0.004}, …]}, …]}]}

Boxes are in pixels of the picture, symbols in reading order (a fraction bar comes before its numerator), alternatives
closest first. ``value`` is null where there is nothing to say. Confidences are from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from edge_client.expression import latex_of, text_of
from edge_client.reading.result import Line, Reading, Symbol


class Worth(Protocol):
    """What an expression comes to: `edge_client.expression.value.Value`."""

    @property
    def text(self) -> str:
        """In words or numbers; empty where there is nothing to say."""


def as_json(reading: Reading, values: Sequence[Worth | None], file: str) -> dict[str, Any]:
    """Return a reading as a JSON object.

    Args:
        reading: what was read.
        values: of its lines, in their order; None, or a missing one, where it is not known.
        file: the name to give.
    """
    padded = [*values, *[None] * (len(reading.lines) - len(values))]
    lines = [
        line_json(line, value) | {"symbols": [symbol_json(symbol) for symbol in line.symbols]}
        for line, value in zip(reading.lines, padded, strict=True)
    ]
    return {"file": file, "lines": lines}


def line_json(line: Line, value: Worth | None) -> dict[str, Any]:
    """Return a line as a JSON object, without its symbols."""
    return {
        "text": text_of(line.row),
        "latex": latex_of(line.row),
        "value": (value.text or None) if value is not None else None,
        "confidence": round(line.confidence, 4),
        "box": list(line.box),
    }


def symbol_json(symbol: Symbol) -> dict[str, Any]:
    """Return a symbol as a JSON object."""
    return {
        "label": symbol.label,
        "box": list(symbol.box),
        "confidence": round(symbol.confidence, 4),
        "alternatives": [
            {"label": label, "confidence": round(confidence, 4)} for label, confidence in symbol.alternatives
        ],
    }
