"""Fraction bars that touch what they divide: found as a long thin stroke in a component, and taken out of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.fractions import is_flat
from edge_client.vision.ink import InkPart

_THICK = 1.8  # widths of the ink: ink that is no higher belongs to a flat stroke
_SHORTEST = 0.15  # em: shorter stretches of flat stroke are parts of symbols
_STEEPEST = 0.35  # rows to a column
_COVERS = 0.85  # of the component's width
_INKED = 0.6  # of its columns, at least, have ink of the stroke
_STRAIGHT = 0.95  # of a stretch's ink lies near its line
_LEAST = 0.75  # em, of a bar that something touches
_CRUMB = 0.2  # em: less ink than that beside the bar stays with it
_LONG = 1.3  # em
_END = 0.4  # em: what is smaller is an end of a symbol that the bar cuts off
_WITHIN = 1.3  # em from a bar to what it divides on the other side

_Points = tuple[NDArray[np.intp], NDArray[np.intp]]


def freed(parts: Sequence[InkPart], *, em: float, ink_width: float) -> list[InkPart] | None:
    """Return the parts with every bar that may divide a fraction taken out of what touches it; None if there are none.

    Args:
        parts: connected components of a line.
        em: about how high digits are, in pixels.
        ink_width: of the lines, in pixels.
    """
    made: list[InkPart] = []
    found = False
    for part in parts:
        if part.width >= _LEAST * em and (part.width > _LONG * em or _has_ink_across(part, parts, em=em)):
            pieces = _taken_apart(part, em=em, ink_width=ink_width)
            if pieces is not None and _divides(pieces, [other for other in parts if other is not part], em=em):
                made.extend(pieces)
                found = True
                continue
        made.append(part)
    return sorted(made, key=lambda part: (part.x, part.y)) if found else None


def _has_ink_across(part: InkPart, parts: Sequence[InkPart], *, em: float) -> bool:
    """Say whether a bar in a part may have ink of others over or under it: nearly no symbol of a row has."""
    left, right, over, under = part.x, part.right, part.y - _WITHIN * em, part.bottom + _WITHIN * em
    return any(
        left <= ink.x + ink.width / 2 <= right and ink.y < under and ink.bottom > over
        for ink in parts
        if ink is not part
    )


def _divides(pieces: Sequence[InkPart], others: Sequence[InkPart], *, em: float) -> bool:
    """Say whether ink lies on both sides of the bar, the first of the pieces, and close to it.

    A cross of a plus or a 4 has its own ink on both sides; only a long bar is believed to touch on both.
    """
    bar = pieces[0]
    level = bar.y + float(np.nonzero(bar.mask)[0].mean())
    own = {piece.y + piece.bottom > 2 * level for piece in pieces[1:]}
    if len(own) == 2:
        return bar.width > _LONG * em
    nearest: tuple[float, InkPart] | None = None
    for ink in others:
        away = max(ink.y - bar.bottom, bar.y - ink.bottom)
        beyond = (ink.y + ink.bottom > 2 * level) not in own
        if beyond and bar.x <= ink.x + ink.width / 2 <= bar.right and (nearest is None or away < nearest[0]):
            nearest = (away, ink)
    return nearest is not None and nearest[0] < _WITHIN * em and not is_flat(nearest[1])


def _taken_apart(part: InkPart, *, em: float, ink_width: float) -> list[InkPart] | None:
    """Return the bar and the rest of a component, or None where no stroke runs right across it."""
    import cv2

    thick = max(3.0, _THICK * ink_width)
    if part.height < 1.5 * thick:
        return None
    thin = _thin_runs(part.mask, thick=thick)
    columns = np.flatnonzero(thin.any(axis=0))
    if len(columns) < _INKED * part.width or columns[-1] - columns[0] + 1 < _COVERS * part.width:
        return None
    track = _track(thin, em=em, thick=thick)
    if track is None:
        return None
    rows = np.arange(part.height)[:, np.newaxis]
    # A little more than half the width of the line on either side, so that no rim of it stays on what it touches.
    band = np.abs(rows - track[np.newaxis, :]) <= 0.42 * thick
    inside = part.mask > 0
    bar = inside & band
    if not bar.any(axis=0).mean() > _COVERS:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats((inside & ~band).astype(np.uint8), connectivity=8)
    rest: list[NDArray[np.bool_]] = []
    ends: list[NDArray[np.bool_]] = []
    for i in range(1, count):
        own = labels == i
        extent = max(stats[i, cv2.CC_STAT_WIDTH], stats[i, cv2.CC_STAT_HEIGHT])
        if extent >= _END * em:
            rest.append(own)
        elif extent >= _CRUMB * em:
            ends.append(own)
        else:
            bar |= own
    if not rest:
        return None
    for end in ends:
        # What the bar cut off a symbol goes back to it.
        grown = cv2.dilate(end.astype(np.uint8), np.ones((2 * int(thick) + 1, 2 * int(thick) + 1), np.uint8)) > 0
        nearest = max(range(len(rest)), key=lambda k: int(np.count_nonzero(rest[k] & grown)))
        rest[nearest] |= end
    return [_cropped(part, bar), *(_cropped(part, own) for own in rest)]


def _thin_runs(mask: NDArray[np.uint8], *, thick: float) -> NDArray[np.bool_]:
    """Return the ink whose column has little ink over and under it: flat strokes, and slanted ones."""
    import cv2

    opened = cv2.morphologyEx(
        mask, cv2.MORPH_OPEN, np.ones((int(thick) + 1, 1), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    thin: NDArray[np.bool_] = (mask > 0) & (opened == 0)
    return thin


def _track(thin: NDArray[np.bool_], *, em: float, thick: float) -> NDArray[np.float64] | None:
    """Join collinear flat stretches to a line across the component: its row at each column, ``(width,) float64``."""
    stretches = _stretches(thin, em=em, thick=thick)
    if not stretches:
        return None
    widths = [int(xs.max() - xs.min()) for xs, _ in stretches]
    xs, ys = stretches.pop(widths.index(max(widths)))
    grown = True
    while grown:
        grown = False
        slope, offset = _line(xs, ys)
        for k, stretch in enumerate(stretches):
            if float(np.median(np.abs(stretch[1] - slope * stretch[0] - offset))) < thick:
                xs, ys = np.concatenate([xs, stretch[0]]), np.concatenate([ys, stretch[1]])
                del stretches[k]
                grown = True
                break
    width = thin.shape[1]
    counts = np.bincount(xs, minlength=width)
    columns = np.flatnonzero(counts)
    if int(columns[-1]) - int(columns[0]) + 1 < _COVERS * width or len(columns) < _INKED * width:
        return None
    means = np.bincount(xs, ys, minlength=width)[columns] / counts[columns]
    track: NDArray[np.float64] = np.interp(np.arange(width), columns, means)
    return track


def _stretches(thin: NDArray[np.bool_], *, em: float, thick: float) -> list[_Points]:
    """Return the columns and rows of straight flat stretches; none where they cannot reach across the component."""
    import cv2

    width = thin.shape[1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(thin.view(np.uint8), connectivity=8)
    wide = [[*stats[i].tolist(), i] for i in range(1, count) if stats[i, cv2.CC_STAT_WIDTH] >= max(3.0, _SHORTEST * em)]
    if not wide:
        return []
    reach = max(left + columns for left, _, columns, *_ in wide) - min(left for left, *_ in wide)
    if reach < _COVERS * width or sum(columns for _, _, columns, *_ in wide) < _INKED * width:
        return []
    found = []
    for left, top, columns, rows, _, i in wide:
        ys, xs = np.nonzero(labels[top : top + rows, left : left + columns] == i)
        xs, ys = xs + left, ys + top
        slope, offset = _line(xs, ys)
        off = np.abs(ys - slope * xs - offset)
        if abs(slope) < _STEEPEST and np.count_nonzero(off < thick) >= _STRAIGHT * len(off):
            found.append((xs, ys))
    return found


def _line(xs: NDArray[np.intp], ys: NDArray[np.intp]) -> tuple[float, float]:
    """Return the slope and the offset of the line with the least squares, of points in more than one column."""
    x, y = float(xs.mean()), float(ys.mean())
    off = xs - x
    slope = float(off @ ys) / float(off @ off)
    return slope, y - slope * x


def _cropped(part: InkPart, where: NDArray[np.bool_]) -> InkPart:
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    mask = np.where(where, part.mask, 0).astype(np.uint8)
    crop = np.ascontiguousarray(mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1])
    return InkPart(crop, part.x + left, part.y + top)
