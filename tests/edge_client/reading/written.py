"""Expressions written by a generated hand, laid out as people do: the truth is known down to every symbol's ink."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.reading.habits import habit
from edge_client.vision.ink import InkPage, InkPart
from shared.handwriting import Stroke, draw_sample, draw_writer

_GAP = 0.22  # em between symbols
_MARGIN = 20


@dataclass(frozen=True, eq=False)
class Written:
    """A symbol: its label, and its strokes in pixels of the page."""

    label: str
    strokes: list[Stroke]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The left, top, right and bottom of its strokes."""
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def moved(self, x: float, y: float) -> Written:
        """The same elsewhere."""
        return Written(self.label, [stroke + np.array([x, y]) for stroke in self.strokes])


def row(text: str) -> Row:
    """Read a notation for rows: ``{1|2}`` is a fraction with a bar, ``^`` raises a symbol or a bracket ``[…]``."""
    items, rest = _items(text, "")
    assert not rest, rest
    return items


def _items(text: str, end: str) -> tuple[Row, str]:
    items: list[Sign | Raised | Bar] = []
    while text and text[0] not in (end or "|"):
        if text.startswith("^["):
            inner, text = _items(text[2:], "]")
            items.append(Raised(inner))
            text = text[1:]
        elif text[0] == "^":
            items.append(Raised((Sign(text[1]),)))
            text = text[2:]
        elif text[0] == "{":
            over, text = _items(text[1:], "|")
            under, text = _items(text[1:], "}")
            items.append(Bar(over, under))
            text = text[1:]
        else:
            items.append(Sign({"*": "times", "/": "forward_slash", ":": "div"}.get(text[0], text[0])))
            text = text[1:]
    return tuple(items), text


def write(text: str, *, em: float = 60.0, seed: int = 3, gap: float = _GAP) -> list[Written]:
    """Write a row, in the notation of `row`, around the origin, in reading order."""
    rng = np.random.default_rng(seed)
    written, _ = _row(row(text), em, _Hand(seed, rng, gap))
    return written


def turned(written: list[Written], degrees: float) -> list[Written]:
    """Turn everything, clockwise as seen."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    matrix = np.array([[cos, sin], [-sin, cos]])
    return [Written(one.label, [stroke @ matrix for stroke in one.strokes]) for one in written]


def inks_of(written: list[Written], *, ink_width: int = 5) -> tuple[list[InkPart], int, int]:
    """Draw each symbol by itself: its ink, in the order given, and the width and height of the page."""
    boxes = np.array([one.box for one in written])
    left, top = boxes[:, :2].min(axis=0) - _MARGIN
    width, height = (boxes[:, 2:].max(axis=0) - (left, top) + _MARGIN).astype(int).tolist()
    inks = []
    for one in written:
        canvas = _drawn(one, (height, width), (left, top), ink_width=ink_width)
        ys, xs = np.nonzero(canvas)
        x, y = int(xs.min()), int(ys.min())
        crop = np.ascontiguousarray(canvas[y : int(ys.max()) + 1, x : int(xs.max()) + 1])
        inks.append(InkPart(crop, x, y))
    return inks, width, height


def page_of(written: list[Written], *, ink_width: int = 5) -> InkPage:
    """Draw everything on one page, as vision would hand it on."""
    inks, width, height = inks_of(written, ink_width=ink_width)
    canvas = np.zeros((height, width), np.uint8)
    for ink in inks:
        place = canvas[ink.y : ink.bottom, ink.x : ink.right]
        np.maximum(place, ink.mask, out=place)
    return page_of_picture(canvas, ink_width=ink_width)


def page_of_picture(ink: NDArray[np.uint8], *, ink_width: float = 5) -> InkPage:
    """Make a page of a binary picture, ink 255."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    parts = []
    for number in range(1, count):
        x, y, width, height, _ = stats[number].tolist()
        mask = np.where(labels[y : y + height, x : x + width] == number, 255, 0).astype(np.uint8)
        parts.append(InkPart(mask, x, y))
    parts.sort(key=lambda part: part.x)
    return InkPage(tuple(parts), ink.shape[1], ink.shape[0], float(ink_width), np.eye(3))


class _Hand:
    def __init__(self, seed: int, rng: np.random.Generator, gap: float) -> None:
        self.writer = draw_writer(seed, 1, spread=0.3)
        self.rng = rng
        self.gap = gap

    def sign(self, label: str, em: float) -> Written:
        strokes = draw_sample(self.writer, label, self.rng)
        points = np.concatenate(strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        known = habit(label)
        scale = known.size * em / float((high - low).max())
        middle = np.array([low[0], (low[1] + high[1]) / 2])
        return Written(label, [(stroke - middle) * scale - (0, known.middle * em) for stroke in strokes])


def _row(items: Row, em: float, hand: _Hand) -> tuple[list[Written], float]:
    """Write a row with its axis at 0 and its left end at 0, and return it with its width."""
    written: list[Written] = []
    x, top = 0.0, -em / 2
    for item in items:
        if isinstance(item, Sign):
            one = hand.sign(item.label, em)
            written.append(one.moved(x, 0))
            top = one.box[1]
            x += one.box[2] - one.box[0] + hand.gap * em
        elif isinstance(item, Raised):
            inner, width = _row(item.inner, 0.6 * em, hand)
            rise = min(-0.55 * em, top)
            written += [one.moved(x - 0.1 * em, rise) for one in inner]
            x += width
        elif isinstance(item, Bar):
            parts, width = _fraction(item, em, hand)
            written += [one.moved(x, 0) for one in parts]
            top = min(one.box[1] for one in parts)
            x += width + hand.gap * em
    return written, x - hand.gap * em


def _fraction(item: Bar, em: float, hand: _Hand) -> tuple[list[Written], float]:
    over, over_width = _row(item.numerator, 0.85 * em, hand)
    under, under_width = _row(item.denominator, 0.85 * em, hand)
    width = max(over_width, under_width) + 0.3 * em
    bar = Written("-", [np.array([[0.0, 0.01 * em], [width, -0.01 * em]])])
    up = -0.2 * em - max(one.box[3] for one in over)
    down = 0.2 * em - min(one.box[1] for one in under)
    return [
        bar,
        *[one.moved((width - over_width) / 2, up) for one in over],
        *[one.moved((width - under_width) / 2, down) for one in under],
    ], width


def _drawn(one: Written, shape: tuple[int, int], origin: tuple[float, float], *, ink_width: int) -> NDArray[np.uint8]:
    import cv2

    canvas = np.zeros(shape, np.uint8)
    for stroke in one.strokes:
        points = np.round((stroke - origin) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], False, 255, ink_width, shift=4)
    return canvas
