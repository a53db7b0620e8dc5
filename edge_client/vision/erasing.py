"""Taking printed lines off the page, and leaving the ink that crosses them whole."""

from __future__ import annotations

import numpy as np

from edge_client.vision.ruling import PLAINLY_DARKER, Ruled, Ruling
from edge_client.vision.trace import Picture

_MARGIN = 1.35  # of a line's darkness: blur and noise reach this far above its middle
_HALF = 0.55  # of the darkness of the ink: where its edge is, blurred as it may be
_NEARLY_AS_DARK = 1.6  # times the line's darkness: ink that a threshold alone does not tell from the line
_MEASURED, _PLACES = 24, 96  # lines, and places on each of them, that are measured
_LOOK_PX = 12  # rows on both sides of a line in which its thickness is counted


def raise_needed(needed: Picture, ruled: Ruled, *, paper: Picture) -> Picture:
    """Return how dark a pixel must be to be ink, with what printed lines ask for.

    Where the ink is plainly darker than the lines, it must be so all over the page: then no speck of a line remains.
    Where it is a little darker, only on the lines themselves, so that faint ink elsewhere is kept. Where it is not,
    darkness does not tell them apart, and `erase` must.
    """
    import cv2

    for ruling in ruled.rulings:
        above = _MARGIN * ruling.darkness
        if ruled.ink > PLAINLY_DARKER * ruling.darkness:
            share = min(max(above, (ruling.darkness * ruled.ink) ** 0.5), _HALF * ruled.ink)
            needed = cv2.max(needed, cv2.convertScaleAbs(paper, alpha=share))
        elif ruled.ink > _NEARLY_AS_DARK * ruling.darkness:
            share = min(above, 0.5 * (ruling.darkness + ruled.ink))
            needed = cv2.max(needed, cv2.bitwise_and(cv2.convertScaleAbs(paper, alpha=share), ruling.band))
    return needed


def erase(ink: Picture, ruled: Ruled) -> Picture:
    """Return the ink without printed lines that are nearly as dark.

    A stroke that lies on a line or crosses it makes it thicker there: what is thicker than the line alone stays. Where
    a thin stroke crosses, there is ink on both sides of the line, and the stroke is drawn through.

    Args:
        ink: ``(h, w) uint8``, 255 on 0.
        ruled: what is printed.
    """
    for ruling in ruled.rulings:
        if ruled.ink <= _NEARLY_AS_DARK * ruling.darkness:
            ink = _without(ruling, ink)
    return ink


def _without(ruling: Ruling, ink: Picture) -> Picture:
    import cv2

    if ruling.upright:
        result: Picture = cv2.transpose(_along_rows(ruling, cv2.transpose(ink), cv2.transpose(ruling.band)))
        return result
    return _along_rows(ruling, ink, ruling.band)


def _along_rows(ruling: Ruling, ink: Picture, half_band: Picture) -> Picture:
    import cv2

    thickness = _thickness(ruling, ink)
    if not thickness:
        return ink
    band = cv2.resize(half_band, (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_NEAREST)
    thicker = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thickness + 2, 1), np.uint8))
    outside = cv2.bitwise_and(ink, cv2.bitwise_not(band))
    reach = np.ones((thickness + 3, 1), np.uint8)
    above = cv2.dilate(outside, reach, anchor=(0, thickness + 2))
    below = cv2.dilate(outside, reach, anchor=(0, 0))
    through = cv2.bitwise_and(cv2.bitwise_and(above, below), ink)
    result: Picture = cv2.bitwise_or(cv2.bitwise_or(outside, thicker), through)
    return result


def _thickness(ruling: Ruling, ink: Picture) -> int:
    """Return how thick most of the lines are in the binary picture, in pixels; 0 where they are not in it."""
    lines = ruling.lines.some(_MEASURED)
    columns = np.linspace(2, lines.along[-1], _PLACES).astype(np.int64)
    near = (2 * lines.rows_at(columns) + 1)[:, :, None] + np.arange(-_LOOK_PX, _LOOK_PX + 1)
    inside = (near >= 0) & (near < ink.shape[0])
    there = (ink[np.clip(near, 0, ink.shape[0] - 1), 2 * columns[None, :, None]] > 0) & inside
    counts = there.sum(axis=2)[inside[:, :, _LOOK_PX]]
    counts = counts[counts > 0]
    return int(np.percentile(counts, 70)) if len(counts) else 0
