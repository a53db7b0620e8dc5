"""Pictures of the reader's steps, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.reading.result import Line
from edge_client.vision.ink import InkPage, InkPart

_COLOURS = ((40, 40, 200), (40, 140, 40), (200, 80, 40), (30, 140, 200), (150, 40, 150), (120, 120, 30))  # BGR
_GREY = (190, 190, 190)

Picture = NDArray[np.uint8]


def draw_lines(page: InkPage, groups: Sequence[Sequence[InkPart]]) -> Picture:
    """Draw the ink of each line in a colour of its own."""
    picture = _paper(page)
    for number, group in enumerate(groups):
        _ink(picture, group, _COLOURS[number % len(_COLOURS)])
    return picture


def draw_candidates(page: InkPage, candidates: Iterable[InkPart]) -> Picture:
    """Draw a box around everything that may be a symbol, each a little larger than the ones inside it."""
    import cv2

    picture = _paper(page)
    _ink(picture, page.parts, _GREY)
    for number, ink in enumerate(sorted(candidates, key=lambda ink: ink.width * ink.height)):
        out = 1 + number % 4
        corner, opposite = (ink.x - out, ink.y - out), (ink.right + out, ink.bottom + out)
        cv2.rectangle(picture, corner, opposite, _COLOURS[number % len(_COLOURS)], 1)
    return picture


def draw_layout(page: InkPage, lines: Sequence[Line]) -> Picture:
    """Draw every symbol with its label; what is raised has the next colour."""
    import cv2

    picture = _paper(page)
    _ink(picture, page.parts, _GREY)
    for line in lines:
        for number, depth in _depths(line.row, 0):
            symbol = line.symbols[number]
            ink, colour = symbol.ink, _COLOURS[depth % len(_COLOURS)]
            cv2.rectangle(picture, (ink.x, ink.y), (ink.right, ink.bottom), colour, 1)
            words = f"{symbol.label} {100 * symbol.confidence:.0f}"
            cv2.putText(picture, words, (ink.x, ink.y - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)
    return picture


def _depths(row: Row, depth: int) -> Iterable[tuple[int, int]]:
    for item in row:
        if isinstance(item, Sign):
            yield item.symbol, depth
        elif isinstance(item, Raised):
            yield from _depths(item.inner, depth + 1)
        elif isinstance(item, Bar):
            yield item.symbol, depth
            yield from _depths(item.numerator, depth)
            yield from _depths(item.denominator, depth)


def _paper(page: InkPage) -> Picture:
    return np.full((page.height, page.width, 3), 255, np.uint8)


def _ink(picture: Picture, inks: Iterable[InkPart], colour: tuple[int, int, int]) -> None:
    for ink in inks:
        picture[ink.y : ink.bottom, ink.x : ink.right][ink.mask > 0] = colour
