"""The pen: strokes of points become one canonical sample, the same for generated and for recorded ink."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from shared.sample import INK_THRESHOLD, SIDE, fit

Stroke = NDArray[np.float64]
"""One movement of the pen without lifting it: ``(n, 2) float64``, x rightwards and y downwards, any unit."""

_FINE = 4  # ink is drawn this many times finer than the sample, and averaged
_SHIFT = 4  # bits of fraction in the coordinates OpenCV draws with
_MARGIN = 8  # fine pixels of paper around the drawing, so that rounding never cuts ink
_RUNS = 8  # a stroke of varying pressure is drawn in at most this many runs of one width


def render_strokes(
    strokes: Sequence[Stroke],
    *,
    ink_width_px: float,
    side: int = SIDE,
    pressure: Sequence[NDArray[np.float64]] | None = None,
    gain: float = 1.0,
) -> NDArray[np.uint8]:
    """Draw strokes as a sample: the longer side of the ink's box fills the picture, and the box is centred.

    Ink is the share of each pixel that the pen covers, so lines are antialiased. A symbol without extent (a
    dot) is a disc that fills the picture, as a dot cut from a photograph would be.

    Args:
        strokes: each ``(n, 2) float64``, n ≥ 1, x to the right and y downwards, any unit.
        ink_width_px: the width of the line, in pixels of the sample, from 0.75 to half of ``side``; drawn to
            the nearest quarter of a pixel or so.
        side: rows and columns of the picture, in pixels.
        pressure: for each stroke ``(n,) float64``, the width at each point as a share of ``ink_width_px``.
        gain: what the covered share is multiplied by before it is cut off at full ink; 1 draws grey edges,
            2 and more draw the hard lines of a drawing program.

    Returns:
        ``(side, side) uint8``, ink 255 on paper 0.

    Raises:
        DataError: there is no point, a stroke has another shape, a coordinate is not finite, or the width is
            outside its range.
    """
    _check(strokes, ink_width_px=ink_width_px, side=side)
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    if not math.isfinite(extent):
        raise DataError("expected finite coordinates in the strokes, got NaN or infinity")
    if extent <= 1e-9 * max(1.0, float(np.abs(points).max())):
        return _disc(side)

    fine = side * _FINE
    width = ink_width_px * _FINE
    scale = (fine - width) / extent
    canvas_side = fine + 2 * _MARGIN
    canvas = np.zeros((canvas_side, canvas_side), np.uint8)
    offset = canvas_side / 2 - 0.5 - scale * (low + high) / 2
    for i, stroke in enumerate(strokes):
        path = stroke * scale + offset
        _draw(canvas, path, width=width, pressure=None if pressure is None else pressure[i])
    return _develop(canvas, side=side, gain=gain)


def _check(strokes: Sequence[Stroke], *, ink_width_px: float, side: int) -> None:
    if not strokes:
        raise DataError("expected strokes to draw, got none")
    for i, stroke in enumerate(strokes):
        if stroke.ndim != 2 or stroke.shape[1] != 2 or len(stroke) == 0:
            raise DataError(f"expected stroke {i} of shape (n, 2) with n at least 1, got {stroke.shape}")
    if not 0.75 <= ink_width_px <= side / 2:
        raise DataError(f"expected an ink width from 0.75 to {side / 2:g} pixels, got {ink_width_px:g}")


def _draw(canvas: NDArray[np.uint8], path: Stroke, *, width: float, pressure: NDArray[np.float64] | None) -> None:
    import cv2  # heavy: what only names a stroke never needs it

    fixed = np.rint(path * (1 << _SHIFT)).astype(np.int32)
    if len(fixed) == 1:
        fixed = np.repeat(fixed, 2, axis=0)
    if pressure is None or len(path) < 3:
        share = 1.0 if pressure is None else float(pressure.mean())
        cv2.polylines(canvas, [fixed], False, 255, _thickness(width * share), cv2.LINE_8, _SHIFT)
        return
    run = max(2, math.ceil(len(path) / _RUNS))
    for start in range(0, len(path) - 1, run):
        share = float(pressure[start : start + run + 1].mean())
        piece = fixed[start : start + run + 1]
        cv2.polylines(canvas, [piece], False, 255, _thickness(width * share), cv2.LINE_8, _SHIFT)


def _thickness(width: float) -> int:
    """Find the argument for a line this wide: OpenCV draws 3, 5, 7 … pixels for 2, 4, 6 …."""
    return max(2, 2 * round((width - 1) / 2))


def _develop(canvas: NDArray[np.uint8], *, side: int, gain: float) -> NDArray[np.uint8]:
    """Cut the window around the ink, average it down to the sample and apply the gain."""
    import cv2

    left, top, width, height = cv2.boundingRect(canvas)
    fine = side * _FINE
    if abs(max(width, height) - fine) > 1:
        # light pressure at the ends left the line thinner than the width that the scale was chosen for
        window = _rescaled(canvas[top : top + height, left : left + width], fine=fine)
    else:
        limit = canvas.shape[0] - fine
        x = min(max(left - math.floor((fine - width) / 2), 0), limit)
        y = min(max(top - math.floor((fine - height) / 2), 0), limit)
        window = canvas[y : y + fine, x : x + fine]
    sample: NDArray[np.uint8] = cv2.resize(window, (side, side), interpolation=cv2.INTER_AREA)
    if gain != 1.0:
        sample = cv2.convertScaleAbs(sample, alpha=gain)
    # the faintest pixels of a box's edge may fall below what counts as ink
    box = cv2.boundingRect(cv2.compare(sample, INK_THRESHOLD, cv2.CMP_GE))
    filled = max(box[2:]) == side and max(abs(2 * box[0] + box[2] - side), abs(2 * box[1] + box[3] - side)) <= 1
    if filled or side != SIDE:
        return sample
    left, top, width, height = box
    return fit(sample[top : top + height, left : left + width])


def _rescaled(crop: NDArray[np.uint8], *, fine: int) -> NDArray[np.uint8]:
    """Scale a crop so that its longer side is ``fine`` pixels, and centre it on ``fine`` × ``fine`` paper."""
    import cv2

    height, width = crop.shape
    scale = fine / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    window = np.zeros((fine, fine), np.uint8)
    x, y = (fine - size[0]) // 2, (fine - size[1]) // 2
    window[y : y + size[1], x : x + size[0]] = cv2.resize(crop, size, interpolation=cv2.INTER_NEAREST)
    return window


def _disc(side: int) -> NDArray[np.uint8]:
    import cv2

    fine = side * _FINE
    canvas = np.zeros((fine, fine), np.uint8)
    cv2.circle(canvas, (fine // 2, fine // 2), fine // 2, 255, cv2.FILLED)
    disc: NDArray[np.uint8] = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return disc
