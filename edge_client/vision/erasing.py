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
_THICK_SHARE = 0.92  # of the places on lines are no thicker than a line: the others hold ink
_CRUMB = 4.0  # times the thickness of a line: what is left of it is no longer


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
    import cv2

    strong = [ruling for ruling in ruled.rulings if ruled.ink <= _NEARLY_AS_DARK * ruling.darkness]
    if not strong:
        return ink
    thickest, size = 0, (ink.shape[1], ink.shape[0])
    bands = np.zeros_like(ink)
    for ruling in strong:
        band = cv2.resize(ruling.band, size, interpolation=cv2.INTER_NEAREST)
        cv2.bitwise_or(bands, band, dst=bands)
        planes = (cv2.transpose(ink), cv2.transpose(band)) if ruling.upright else (ink, band)
        thickness = _thickness(ruling, planes[0])
        if thickness:
            thickest = max(thickest, thickness)
            rest = _along_rows(planes[0], planes[1], thickness=thickness)
            ink = cv2.transpose(rest) if ruling.upright else rest
    return _without_crumbs(ink, bands, longest=_CRUMB * thickest) if thickest else ink


def _along_rows(ink: Picture, band: Picture, *, thickness: int) -> Picture:
    import cv2

    thicker = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thickness + 1, 1), np.uint8))
    outside = cv2.bitwise_and(ink, cv2.bitwise_not(band))
    reach = np.ones((thickness + 3, 1), np.uint8)
    above = cv2.dilate(outside, reach, anchor=(0, thickness + 2))
    below = cv2.dilate(outside, reach, anchor=(0, 0))
    through = cv2.bitwise_and(cv2.bitwise_and(above, below), ink)
    result: Picture = cv2.bitwise_or(cv2.bitwise_or(outside, thicker), through)
    return result


def _without_crumbs(ink: Picture, bands: Picture, *, longest: float) -> Picture:
    """Return the ink without the short pieces that lie on lines alone."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8, ltype=cv2.CV_32S)
    beside = np.bincount(labels[(bands == 0) & (ink > 0)], minlength=count) > 0
    keep = beside | (stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) > longest)
    keep[0] = False
    kept: Picture = np.where(keep, np.uint8(255), np.uint8(0))[labels]
    return kept


def _thickness(ruling: Ruling, ink: Picture) -> int:
    """Return how thick the lines are in the binary picture, in pixels; 0 where they are not in it."""
    lines = ruling.lines.some(_MEASURED)
    columns = np.linspace(2, lines.along[-1], _PLACES).astype(np.int64)
    near = (2 * lines.rows_at(columns) + 1)[:, :, None] + np.arange(-_LOOK_PX, _LOOK_PX + 1)
    inside = (near >= 0) & (near < ink.shape[0])
    there = (ink[np.clip(near, 0, ink.shape[0] - 1), 2 * columns[None, :, None]] > 0) & inside
    counts = there.sum(axis=2)[inside[:, :, _LOOK_PX]]
    counts = counts[counts > 0]
    return int(np.quantile(counts, _THICK_SHARE)) if len(counts) else 0
