"""Printed lines of the paper, ruled or squared: found and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_client.vision.histogram import quantile
from edge_client.vision.lines import Lines, find_lines
from edge_client.vision.trace import Picture

PLAINLY_DARKER = 2.5  # times the darkness of printed lines: no stroke of such ink is as faint as a line
_LIKE_INK = 0.75  # of the darkness of the ink: a line that runs alone and is darker may be a fraction bar
_FAMILY = 3  # lines: so many run side by side by no one's hand
_MEASURED, _PLACES = 24, 96  # lines, and places on each of them, that are measured
_DOUBT_PX = 3  # pixels of half the page on both sides of a line that may still be line
_INK_SHARE = 0.999  # of the pixels are not darker than nearly the darkest ink


@dataclass(frozen=True, eq=False)
class Ruling:
    """A family of printed lines.

    Attributes:
        lines: in half the page's pixels; of the transposed page where they are upright.
        upright: whether they run from top to bottom.
        darkness: of the lines' middle, as a share of the paper's grey.
        band: where they run, ``(h, w) uint8``, 255 on 0, in half the page's pixels.
    """

    lines: Lines
    upright: bool
    darkness: float
    band: Picture


@dataclass(frozen=True, eq=False)
class Ruled:
    """What is printed on a page, and what is written there.

    Attributes:
        rulings: the families of printed lines.
        ink: the darkness of the ink away from them, as a share of the paper's grey.
    """

    rulings: tuple[Ruling, ...]
    ink: float

    @property
    def darkest(self) -> float:
        """The darkness of the darkest family, as a share of the paper's grey; 0 where nothing is printed."""
        return max((ruling.darkness for ruling in self.rulings), default=0.0)


def find_ruling(dark: Picture, *, grey: Picture, paper: Picture, floor: float) -> Ruled:
    """Find the printed lines of a page.

    Args:
        dark: how much darker than its paper every pixel is, ``(h, w) uint8``, at half the page's size.
        grey: the page, ``(2 h, 2 w) uint8`` or a pixel more.
        paper: the grey of the paper, ``(h, w) uint8``.
        floor: the darkness that noise does not reach, in grey levels.
    """
    found = []
    for upright in (False, True):
        lines = find_lines(dark, floor=floor, upright=upright)
        if len(lines):
            band = _band(lines, shape=dark.shape, upright=upright)
            found.append(Ruling(lines, upright, _darkness(lines, upright=upright, grey=grey, paper=paper), band))
    ink = _ink_darkness(dark, paper=paper, rulings=found)
    printed = [ruling for ruling in found if len(ruling.lines) >= _FAMILY or ruling.darkness < _LIKE_INK * ink]
    if len(printed) < len(found):
        ink = _ink_darkness(dark, paper=paper, rulings=printed)
    return Ruled(tuple(printed), ink)


def measured_again(ruled: Ruled, dark: Picture, *, grey: Picture, paper: Picture) -> Ruled:
    """Return the same lines as another grey of the same page shows them."""
    rulings = tuple(
        Ruling(
            ruling.lines,
            ruling.upright,
            _darkness(ruling.lines, upright=ruling.upright, grey=grey, paper=paper),
            ruling.band,
        )
        for ruling in ruled.rulings
    )
    return Ruled(rulings, _ink_darkness(dark, paper=paper, rulings=rulings))


def _darkness(lines: Lines, *, upright: bool, grey: Picture, paper: Picture) -> float:
    if upright:
        grey, paper = grey.T, paper.T
    lines = lines.some(_MEASURED)
    columns = np.linspace(2, paper.shape[1] - 3, _PLACES).astype(np.int64)
    rows = lines.rows_at(columns)
    near = (2 * rows + 1)[:, :, None] + np.arange(-3, 4)
    inside = (near[:, :, 0] >= 0) & (near[:, :, -1] < grey.shape[0])
    if not inside.any():
        return 0.0
    levels = grey[np.clip(near, 0, grey.shape[0] - 1), 2 * columns[None, :, None]].min(axis=2)
    white = np.maximum(paper[np.clip(rows, 0, paper.shape[0] - 1), columns], 1)
    return float(np.percentile((1 - levels / white.astype(np.float32))[inside], 60))


def _band(lines: Lines, *, shape: tuple[int, ...], upright: bool) -> Picture:
    import cv2

    band = np.zeros(shape[::-1] if upright else shape, np.uint8)
    # lines are known from the middle of the first strip to that of the last, and run on to the edges of the page
    along = np.concatenate([[0], lines.along, [band.shape[1] - 1]])
    step = lines.along[1] - lines.along[0]
    before, after = lines.along[0] / step, (band.shape[1] - 1 - lines.along[-1]) / step
    first = (1 + before) * lines.across[:, :1] - before * lines.across[:, 1:2]
    last = (1 + after) * lines.across[:, -1:] - after * lines.across[:, -2:-1]
    across = np.concatenate([first, lines.across, last], axis=1)
    points = np.stack([np.broadcast_to(along, across.shape), across], axis=2)
    fraction_bits = 4
    paths = list(np.rint(points * (1 << fraction_bits)).astype(np.int32))
    cv2.polylines(band, paths, False, 255, 2 * _DOUBT_PX + 1, cv2.LINE_8, fraction_bits)
    return cv2.transpose(band) if upright else band


def _ink_darkness(dark: Picture, *, paper: Picture, rulings: Sequence[Ruling]) -> float:
    """Return the darkness of nearly the darkest pixels away from the lines, as a share of the paper's grey."""
    import cv2

    dark, paper = np.ascontiguousarray(dark[::2, ::2]), np.ascontiguousarray(paper[::2, ::2])
    shares = cv2.divide(dark, cv2.max(paper, 1), scale=255)
    if rulings:
        away = np.all([ruling.band[::2, ::2] == 0 for ruling in rulings], axis=0)
        shares = shares[away]
    return quantile(shares, _INK_SHARE) / 255
