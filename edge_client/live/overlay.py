"""What was read, drawn on the picture it was read in."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge_client.camera.frame import Picture
from edge_client.expression import text_of
from edge_client.expression.row import Bar, Raised, Row
from edge_client.expression.value import Value
from edge_client.live.formula import Formula, shown, typeset
from edge_client.live.placing import overlap, place_panels
from edge_client.live.typeface import BOLD, REGULAR, Colour, Typeface, digit_height, typeface
from edge_client.reading.result import Line, Reading, Symbol

SURE, DOUBTFUL = 0.9, 0.6
"""A symbol with at least this confidence is drawn as sure; between the two as doubtful; below as unsure."""

_SURE: Colour = (151, 220, 61)
_DOUBTFUL: Colour = (32, 176, 255)
_UNSURE: Colour = (106, 98, 255)
_DARK: Colour = (31, 24, 20)
_BRIGHT: Colour = (248, 246, 244)
_DIM: Colour = (200, 192, 186)
_MOST_NOTE_LINES = 3
_PLATE_OPACITY, _PLATE_GREY = 0.84, 24

# OpenCV's typeface keeps what it has drawn before, and says nothing about threads.
_DRAWING = threading.Lock()


def draw_reading(
    picture: NDArray[np.uint8],
    reading: Reading | None,
    *,
    values: Sequence[Value | None] = (),
    status: str = "",
    warning: str = "",
) -> Picture:
    """Return a copy of a picture with what was read in it.

    Every symbol has a box and its label, coloured by how sure it is; the foot of the box is as long as it is sure, and
    what is unsure has a broken box and a question mark. Every line's expression and value stand on a panel near it.

    Args:
        picture: ``(height, width)`` grey or ``(height, width, 3)`` BGR, uint8.
        reading: what was read in it; None if nothing was yet.
        values: by line; None, or a missing one, where it is not known yet.
        status: a line for the corner, such as frames a second and weights.
        warning: a line that must be seen, such as a camera that was lost.

    Returns:
        ``(height, width, 3) uint8``, BGR.
    """
    import cv2

    canvas: Picture = picture.copy() if picture.ndim == 3 else cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    with _DRAWING:
        _Drawing(canvas).draw(reading, values, status, warning)
    return canvas


def colour_of(confidence: float) -> Colour:
    """Return the colour that says how sure a reading is."""
    return _SURE if confidence >= SURE else _DOUBTFUL if confidence >= DOUBTFUL else _UNSURE


@dataclass(frozen=True)
class _Panel:
    """A line's expression and value, set."""

    formula: Formula
    tail: str
    size: int
    confidence: float
    width: int
    height: int


class _Drawing:
    """One picture that is being drawn on."""

    def __init__(self, canvas: Picture) -> None:
        import cv2

        self._cv2 = cv2
        self._canvas = canvas
        self._height, self._width = int(canvas.shape[0]), int(canvas.shape[1])
        # One unit is a pixel of a picture of 1280×720; everything grows and shrinks with the picture.
        self._unit = max(0.45, min(self._width / 1280, self._height / 720))
        self._stroke = max(1, round(2 * self._unit))
        self._face: Typeface = typeface()

    def draw(self, reading: Reading | None, values: Sequence[Value | None], status: str, warning: str) -> None:
        lines = reading.lines if reading is not None else ()
        for line in lines:
            for symbol in line.symbols:
                self._box(symbol)
        for line in lines:
            self._tags(line)
        panels = [self._panel(line, values[i] if i < len(values) else None) for i, line in enumerate(lines)]
        places = place_panels(
            [line.box for line in lines],
            [(panel.width, panel.height) for panel in panels],
            width=self._width,
            height=self._height,
            unit=self._unit,
        )
        for panel, corner in zip(panels, places, strict=True):
            self._draw_panel(panel, *corner)
        margin = self._px(12)
        below = self._note(status, margin, margin, self._px(19), _DIM) if status else margin
        if warning:
            self._note(warning, margin, below, self._px(24), _DOUBTFUL)

    # -- symbols ------------------------------------------------------------------------------------------------------

    def _box(self, symbol: Symbol) -> None:
        x, y, width, height = symbol.box
        pad = self._px(3)
        corners = (x - pad, y - pad), (x + width + pad, y + height + pad)
        colour = colour_of(symbol.confidence)
        cv2 = self._cv2
        cv2.rectangle(self._canvas, *corners, _DARK, self._stroke + 2)
        if symbol.confidence < DOUBTFUL:
            self._broken(corners[0], corners[1], colour)
        else:
            cv2.rectangle(self._canvas, *corners, colour, self._stroke)
        self._gauge(*corners, symbol.confidence)

    def _gauge(self, first: tuple[int, int], last: tuple[int, int], confidence: float) -> None:
        """Thicken the foot of a box as far as its symbol is sure."""
        reach = first[0] + round(confidence * (last[0] - first[0]))
        foot = last[1] + self._stroke
        self._cv2.line(self._canvas, (first[0], foot), (last[0], foot), _DARK, self._stroke + 2)
        self._cv2.line(self._canvas, (first[0], foot), (reach, foot), colour_of(confidence), self._stroke)

    def _broken(self, first: tuple[int, int], last: tuple[int, int], colour: Colour) -> None:
        (x0, y0), (x1, y1) = first, last
        dash = max(3, self._px(7))
        for x in range(x0, x1, 2 * dash):
            for y in (y0, y1):
                self._cv2.line(self._canvas, (x, y), (min(x + dash, x1), y), colour, self._stroke)
        for y in range(y0, y1, 2 * dash):
            for x in (x0, x1):
                self._cv2.line(self._canvas, (x, y), (x, min(y + dash, y1)), colour, self._stroke)

    def _tags(self, line: Line) -> None:
        """Name the symbols; a fraction bar needs no name, unless it is uncertain that it is one."""
        # Small writing has small tags, so that those of neighbours stay apart.
        middle = float(np.median([symbol.box[2] for symbol in line.symbols])) if line.symbols else 0.0
        size = round(min(max(0.6 * middle, 13 * self._unit), 22 * self._unit))
        bars = set(_bars(line.row))
        for i, symbol in enumerate(line.symbols):
            if i in bars and symbol.confidence >= DOUBTFUL:
                continue
            text = shown(symbol.label)
            if symbol.confidence < DOUBTFUL:
                in_full = f"{text}? {symbol.confidence:.0%}"
                text = in_full if self._has_room(in_full, size, symbol, line.symbols) else f"{text}?"
            self._tag(text, size, symbol)

    def _has_room(self, text: str, size: int, symbol: Symbol, symbols: Sequence[Symbol]) -> bool:
        width = self._face.width(text, size=size, weight=BOLD) + size
        x, y, _, height = symbol.box
        place = (x, y - size, width, height + size)
        return not any(overlap(place, other.box) for other in symbols if other is not symbol)

    def _tag(self, text: str, size: int, symbol: Symbol) -> None:
        tag = _tag_picture(text, size, colour_of(symbol.confidence))
        height, width = tag.shape[:2]
        x, y, _, box_height = symbol.box
        edge = self._px(3) + self._stroke
        top = y - edge - height
        if top < 0:
            top = y + box_height + edge
        left = min(max(0, x - self._px(3)), max(0, self._width - width))
        place = self._canvas[max(0, top) : max(0, top + height), left : left + width]
        place[:] = tag[: place.shape[0], : place.shape[1]]

    # -- lines --------------------------------------------------------------------------------------------------------

    def _panel(self, line: Line, value: Value | None) -> _Panel:
        """Set a line's expression and value."""
        pad, bar, gap = self._px(11), self._px(5), self._px(16)
        formula, tail, size = self._fitted(line, value, self._width - 2 * self._px(8) - 2 * pad - bar)
        small = max(11, round(0.5 * size))
        width = formula.width + (gap + self._face.width(tail, size=size) if tail else 0)
        width += gap + self._face.width(f"{line.confidence:.0%}", size=small) + 2 * pad + bar
        return _Panel(formula, tail, size, line.confidence, width, formula.ascent + formula.descent + 2 * pad)

    def _draw_panel(self, panel: _Panel, x: int, y: int) -> None:
        pad, bar, gap = self._px(11), self._px(5), self._px(16)
        size = panel.size
        self._plate(x, y, panel.width, panel.height)
        colour = colour_of(panel.confidence)
        self._cv2.rectangle(self._canvas, (x, y), (x + bar - 1, y + panel.height - 1), colour, -1)
        left, baseline = x + bar + pad, y + pad + panel.formula.ascent
        self._formula(panel.formula, left, baseline)
        left += panel.formula.width + gap
        if panel.tail:
            self._face.draw(self._canvas, panel.tail, at=(left, baseline), size=size, colour=_SURE)
            left += self._face.width(panel.tail, size=size) + gap
        small = max(11, round(0.5 * size))
        self._face.draw(self._canvas, f"{panel.confidence:.0%}", at=(left, baseline), size=small, colour=_DIM)

    def _fitted(self, line: Line, value: Value | None, room: int) -> tuple[Formula, str, int]:
        """Set a line so that it fits: smaller if need be, and the value cut short if it is still too long."""
        tail = beside(line, value).replace("-", "−").replace("*", "×")
        for size in (self._px(34), self._px(26), self._px(20), self._px(14)):
            formula = typeset(line.row, size=size, face=self._face)
            needed = formula.width + self._px(60) + (self._face.width(tail, size=size) + self._px(16) if tail else 0)
            if needed <= room:
                return formula, tail, size
        while tail and formula.width + self._px(76) + self._face.width(tail + "…", size=size) > room:
            tail = tail[: len(tail) * 3 // 4]
        return formula, tail and tail + "…", size

    def _formula(self, formula: Formula, x: int, y: int) -> None:
        for text in formula.texts:
            at = (x + text.x, y + text.y)
            self._face.draw(self._canvas, text.text, at=at, size=text.size, colour=_BRIGHT)
        for rule in formula.rules:
            start, end = (x + rule.x, y + rule.y), (x + rule.x + rule.width, y + rule.y)
            self._cv2.line(self._canvas, start, end, _BRIGHT, rule.thickness)

    # -- notes --------------------------------------------------------------------------------------------------------

    def _note(self, text: str, x: int, y: int, size: int, colour: Colour) -> int:
        """Write a note, in lines if it is wide; return where the next one may begin."""
        pad = max(3, size // 3)
        height = digit_height(size) + 2 * pad
        for line in self._wrapped(text, size, self._width - 2 * (x + pad)):
            self._plate(x, y, self._face.width(line, size=size) + 2 * pad, height)
            at = (x + pad, y + height - pad)
            self._face.draw(self._canvas, line, at=at, size=size, colour=colour, weight=REGULAR)
            y += height
        return y + pad

    def _wrapped(self, text: str, size: int, room: int) -> list[str]:
        lines: list[str] = [""]
        for word in text.split(" "):
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self._face.width(longer, size=size) <= room:
                lines[-1] = longer
            elif len(lines) < _MOST_NOTE_LINES:
                lines.append(word)
            else:
                lines[-1] = f"{lines[-1]} …"
                break
        for at, line in enumerate(lines):  # a word that is wider than the picture
            while len(line) > 1 and self._face.width(line, size=size) > room:
                line = line[: len(line) * 7 // 8 - 1] + "…"
            lines[at] = line
        return lines

    def _plate(self, x: int, y: int, width: int, height: int) -> None:
        """Darken a rectangle, so that bright text is readable on whatever is below."""
        place = self._canvas[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
        if place.size:
            place[:] = self._cv2.convertScaleAbs(place, alpha=1 - _PLATE_OPACITY, beta=_PLATE_GREY * _PLATE_OPACITY)

    def _px(self, units: float) -> int:
        return max(1, round(units * self._unit))


@lru_cache(maxsize=512)
def _tag_picture(text: str, size: int, colour: Colour) -> Picture:
    """Draw a tag; the same few stand on every frame."""
    face = typeface()
    pad = max(2, size // 4)
    width, height = face.width(text, size=size, weight=BOLD) + 2 * pad, digit_height(size) + 2 * pad
    tag: Picture = np.full((height, width, 3), colour, np.uint8)
    face.draw(tag, text, at=(pad, height - pad), size=size, colour=_DARK, weight=BOLD)
    return tag


def _bars(row: Row) -> Iterator[int]:
    """Name the symbols that are the bars of fractions."""
    for item in row:
        if isinstance(item, Bar):
            yield item.symbol
            yield from _bars(item.numerator)
            yield from _bars(item.denominator)
        elif isinstance(item, Raised):
            yield from _bars(item.inner)


def in_words(value: Value | None) -> str:
    """Return a value as it stands beside its expression; empty where there is nothing to say."""
    if value is None or not value.text:
        return ""
    return f"= {value.text}" if value.kind in ("number", "form") else value.text


def beside(line: Line, value: Value | None) -> str:
    """Return a value as it stands beside its line, which may say it already (``x=5``) or ask for it (``1+1=``)."""
    text = text_of(line.row)
    if value is not None and value.text.replace(" ", "") == text:
        return ""
    return in_words(value).removeprefix("= ") if text.endswith("=") else in_words(value)
