"""How far the writing is turned, and turning it upright."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ink import InkPart
from edge_client.vision.ruling import Ruled
from edge_client.vision.trace import Picture

_SEARCHED_DEG = 16
_BELIEVED_DEG = 13.5  # a best angle at the end of the search is no best angle
_LEAST_TURN_DEG = 2.0  # less is left to the reader, who bears it
_LEAST_PARTS = 5
_LEAST_LENGTH = 4.0  # of the height of the parts: a line of writing has a direction, a short sum has not
_SHARPNESS = 1.6  # of the best angle's profile against that of most angles
_POINTS = 600
_LINES = 3  # printed lines whose direction is that of the writing


def turned_by(parts: Sequence[InkPart], ruled: Ruled, *, ink_width: float) -> float:
    """Return by how many degrees the writing falls to the right; 0 where that is small or cannot be told.

    Printed lines say it. Without them, it is the angle at which the ink's projection profile is sharpest (Postl 1986):
    seen along the line, strokes of signs and the feet of symbols coincide.
    """
    for ruling in ruled.rulings:
        if not ruling.upright and len(ruling.lines) >= _LINES:
            degrees = float(np.degrees(np.arctan(ruling.lines.slope())))
            return degrees if abs(degrees) >= _LEAST_TURN_DEG else 0.0
    if len(parts) < _LEAST_PARTS:
        return 0.0
    length = max(part.right for part in parts) - min(part.x for part in parts)
    if length < _LEAST_LENGTH * sorted(part.height for part in parts)[3 * len(parts) // 4]:
        return 0.0
    points = _points(parts)
    coarse = np.arange(-_SEARCHED_DEG, _SEARCHED_DEG + 1.0)
    sharpness = _sharpness(points, coarse, row=max(ink_width, 2.0))
    best = coarse[np.argmax(sharpness)]
    if abs(best) > _BELIEVED_DEG or sharpness.max() < _SHARPNESS * np.median(sharpness):
        return 0.0
    fine = best + np.arange(-0.75, 1.0, 0.25)
    degrees = float(fine[np.argmax(_sharpness(points, fine, row=max(ink_width, 2.0)))])
    return degrees if abs(degrees) >= _LEAST_TURN_DEG else 0.0


def upright(*, degrees: float, width: int, height: int) -> tuple[NDArray[np.float64], int, int]:
    """Return the homography that turns a page upright, and the size of the page that then holds all of it.

    The homography maps points of the page, in which a pixel's centre is half a pixel from its edges.
    """
    angle = np.radians(-degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    corners = turn @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1.0]])
    left, top = corners[:2].min(axis=1)
    right, bottom = corners[:2].max(axis=1)
    turn[:2, 2] = -left, -top
    return turn, int(np.ceil(right - left)), int(np.ceil(bottom - top))


def turned(soft: Picture, turn: NDArray[np.float64], *, width: int, height: int) -> Picture:
    """Return a picture turned, ``(height, width) uint8``; what was not on it is 0."""
    import cv2

    # OpenCV counts from the centre of the first pixel
    centre = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    matrix = (np.linalg.inv(centre) @ turn @ centre)[:2]
    result: Picture = cv2.warpAffine(soft, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return result


def _points(parts: Sequence[InkPart]) -> NDArray[np.float32]:
    """Return ink pixels evenly taken from all parts, ``(2, n) float32``, x and y."""
    step = max(1, round((sum(part.area for part in parts) / _POINTS) ** 0.5))
    columns, rows = [], []
    for part in parts:
        y, x = np.nonzero(part.mask[::step, ::step])
        columns.append(x * step + part.x)
        rows.append(y * step + part.y)
    return np.stack([np.concatenate(columns), np.concatenate(rows)]).astype(np.float32)


def _sharpness(points: NDArray[np.float32], degrees: NDArray[np.float64], *, row: float) -> NDArray[np.float64]:
    """Return for every angle the sum of squares of the profile of the points, in rows this high."""
    x, y = (points - points.mean(axis=1, keepdims=True)) / row
    angles = np.radians(degrees).astype(np.float32)
    heights = y * np.cos(angles)[:, None] - x * np.sin(angles)[:, None]
    rows = (heights - heights.min()).astype(np.int32)
    count = int(rows.max()) + 1
    # one count for all angles: each has its own stretch of rows
    rows += count * np.arange(len(degrees), dtype=np.int32)[:, None]
    profiles = np.bincount(rows.reshape(-1), minlength=count * len(degrees)).reshape(len(degrees), count)
    sums: NDArray[np.float64] = np.square(profiles.astype(np.float64)).sum(axis=1)
    return sums
