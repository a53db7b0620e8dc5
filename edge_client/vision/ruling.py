"""Printed lines of the paper, ruled or squared: found, measured, and taken off without the ink that crosses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_client.vision.lines import Lines, find_lines
from edge_client.vision.trace import Picture

_MARGIN = 1.35  # of a line's darkness: blur and noise reach this far above its middle
_PLAINLY_DARKER = 2.0  # times the line's darkness: no stroke of such ink is as faint as a line
_LIKE_INK = 0.75  # of the darkness of the ink: a line that runs alone and is darker may be a fraction bar
_FAMILY = 3  # lines: so many run side by side by no one's hand
_PROFILE = 8  # rows looked at on both sides of a line
_INK_PERCENTILE = 99.9


@dataclass(frozen=True, eq=False)
class Ruling:
    """A family of printed lines.

    Attributes:
        lines: in half the page's pixels; of the transposed page where they are upright.
        upright: whether they run from top to bottom.
        darkness: of the lines' middle, as a share of the paper's grey.
        thickness: of a line, in pixels of the page.
        band: where they run, ``(h, w) uint8``, 255 on 0, in half the page's pixels.
    """

    lines: Lines
    upright: bool
    darkness: float
    thickness: int
    band: Picture


def find_ruling(dark: Picture, *, grey: Picture, paper: Picture, floor: float) -> tuple[tuple[Ruling, ...], float]:
    """Find the printed lines, and how dark the ink away from them is, as a share of the paper's grey.

    Args:
        dark: how much darker than its paper every pixel is, ``(h, w) uint8``, at half the page's size.
        grey: the page, ``(2 h, 2 w) uint8`` or a pixel more.
        paper: the grey of the paper, ``(h, w) uint8``.
        floor: the darkness that noise does not reach, in grey levels.
    """
    rulings = []
    for upright in (False, True):
        planes = [np.ascontiguousarray(plane.T) if upright else plane for plane in (dark, grey, paper)]
        lines = find_lines(planes[0], floor=floor)
        ruling = _measured(lines, upright=upright, grey=planes[1], paper=planes[2]) if len(lines) else None
        if ruling is not None:
            rulings.append(ruling)
    ink = _ink_darkness(dark, paper=paper, rulings=rulings)
    printed = [ruling for ruling in rulings if len(ruling.lines) >= _FAMILY or ruling.darkness < _LIKE_INK * ink]
    if len(printed) < len(rulings):
        ink = _ink_darkness(dark, paper=paper, rulings=printed)
    return tuple(printed), ink


def raise_needed(needed: Picture, rulings: Sequence[Ruling], *, paper: Picture, ink: float) -> Picture:
    """Return how dark a pixel must be to be ink, with what printed lines ask for.

    Where the ink is plainly darker than the lines, it must be so all over the page: then no speck of a line remains.
    Where it is not, only on the lines themselves, so that faint ink elsewhere is kept.
    """
    import cv2

    for ruling in rulings:
        above = _MARGIN * ruling.darkness
        if ink > _PLAINLY_DARKER * ruling.darkness:
            share = min(max(above, (ruling.darkness * ink) ** 0.5), 0.5 * ink)
            needed = cv2.max(needed, cv2.convertScaleAbs(paper, alpha=share))
        else:
            share = min(above, 0.5 * (ruling.darkness + ink))
            raised = cv2.bitwise_and(cv2.convertScaleAbs(paper, alpha=share), ruling.band)
            needed = cv2.max(needed, raised)
    return needed


def erase(ink: Picture, rulings: Sequence[Ruling], *, darkness: float) -> Picture:
    """Return the ink without printed lines that are as dark as the ink, but with the strokes that cross them.

    A stroke crosses where there is ink on both sides of a line; it is drawn through.

    Args:
        ink: ``(h, w) uint8``, 255 on 0.
        rulings: the printed lines.
        darkness: of the ink, as a share of the paper's grey.
    """
    import cv2

    strong = [ruling for ruling in rulings if darkness <= _PLAINLY_DARKER * ruling.darkness]
    if not strong:
        return ink
    size = ink.shape[1], ink.shape[0]
    bands = [cv2.resize(ruling.band, size, interpolation=cv2.INTER_NEAREST) for ruling in strong]
    anywhere = bands[0] if len(bands) == 1 else cv2.bitwise_or(bands[0], bands[1])
    outside = cv2.bitwise_and(ink, cv2.bitwise_not(anywhere))
    result = outside
    for ruling, band in zip(strong, bands, strict=True):
        reach = _band_thickness(ruling.thickness) * 2 + 2
        shape, first, last = (
            ((3, reach), (0, 1), (reach - 1, 1)) if ruling.upright else ((reach, 3), (1, 0), (1, reach - 1))
        )
        window = np.ones(shape, np.uint8)
        both = cv2.bitwise_and(cv2.dilate(outside, window, anchor=first), cv2.dilate(outside, window, anchor=last))
        result = cv2.bitwise_or(result, cv2.bitwise_and(cv2.bitwise_and(both, band), ink))
    return result


def _measured(lines: Lines, *, upright: bool, grey: Picture, paper: Picture) -> Ruling | None:
    columns = np.arange(2, paper.shape[1] - 2, 3)
    rows = lines.rows_at(columns)
    near = (2 * rows + 1)[:, :, None] + np.arange(-_PROFILE, _PROFILE + 1)
    inside = (near[:, :, 0] >= 0) & (near[:, :, -1] < grey.shape[0])
    if not inside.any():
        return None
    levels = grey[np.clip(near, 0, grey.shape[0] - 1), 2 * columns[None, :, None]].astype(np.float32)
    white = np.maximum(paper[np.clip(rows, 0, paper.shape[0] - 1), columns], 1).astype(np.float32)
    dark = (1 - levels / white[:, :, None])[inside]
    darkness = float(np.percentile(dark[:, _PROFILE - 3 : _PROFILE + 4].max(axis=1), 60))
    profile = np.median(dark, axis=0)
    if darkness < 0.01 or profile.max() <= 0:
        return None
    thickness = int(np.count_nonzero(profile > 0.35 * profile.max()))
    return Ruling(lines, upright, darkness, thickness, _band(lines, thickness, shape=paper.shape, upright=upright))


def _band_thickness(thickness: int) -> int:
    """Return how wide a band around a line is, in half the page's pixels: a pixel of doubt on both sides."""
    return -(-thickness // 2) + 2


def _band(lines: Lines, thickness: int, *, shape: tuple[int, ...], upright: bool) -> Picture:
    import cv2

    band = np.zeros(shape, np.uint8)
    # lines are known from the middle of the first strip to that of the last, and run on for half a strip
    along = np.concatenate([[0], lines.along, [shape[1] - 1]])
    first = 1.5 * lines.across[:, :1] - 0.5 * lines.across[:, 1:2]
    last = 1.5 * lines.across[:, -1:] - 0.5 * lines.across[:, -2:-1]
    across = np.concatenate([first, lines.across, last], axis=1)
    points = np.stack([np.broadcast_to(along, across.shape), across], axis=2)
    fraction_bits = 4
    paths = list(np.rint(points * (1 << fraction_bits)).astype(np.int32))
    cv2.polylines(band, paths, False, 255, _band_thickness(thickness), cv2.LINE_8, fraction_bits)
    return np.ascontiguousarray(band.T) if upright else band


def _ink_darkness(dark: Picture, *, paper: Picture, rulings: Sequence[Ruling]) -> float:
    """Return the darkness of nearly the darkest pixels away from the lines, as a share of the paper's grey."""
    away = np.ones(dark.shape, bool)
    for ruling in rulings:
        away &= ruling.band == 0
    away = away[::2, ::2]
    shares = dark[::2, ::2][away].astype(np.float32) / np.maximum(paper[::2, ::2][away], 1)
    return float(np.percentile(shares, _INK_PERCENTILE)) if len(shares) else 0.0
