"""Connected parts of the ink, and how wide their lines are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ink import InkPart
from edge_client.vision.trace import Picture

_LEAST_AREA_PX = 4
_MOST_LABELS = 65_000
_LARGE = 0.25  # of the size of the largest parts: what is smaller says nothing about the pen
_MEASURED = 6  # parts, the largest


def connected_parts(ink: Picture) -> list[InkPart]:
    """Return the parts of the ink that are connected by sides or corners, the largest area first, without specks."""
    import cv2

    left, top, width, height = cv2.boundingRect(ink)
    if width == 0:
        return []
    crop = ink[top : top + height, left : left + width]
    # 16-bit labels are twice as quick; parts are at most as many as there are pixels of ink, or runs of them in rows
    few = cv2.countNonZero(crop) < _MOST_LABELS or (
        width > 1 and cv2.countNonZero(cv2.subtract(crop[:, 1:], crop[:, :-1])) + height < _MOST_LABELS
    )
    kind = cv2.CV_16U if few else cv2.CV_32S
    _, labels, stats, _ = cv2.connectedComponentsWithStats(crop, connectivity=8, ltype=kind)
    numbers = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= _LEAST_AREA_PX)
    numbers = numbers[np.argsort(-stats[numbers, cv2.CC_STAT_AREA], kind="stable")]
    parts = []
    for number in numbers.tolist():
        x, y, w, h, _area = stats[number].tolist()
        mask: NDArray[np.uint8] = (labels[y : y + h, x : x + w] == number).view(np.uint8) * np.uint8(255)
        parts.append(InkPart(mask, left + x, top + y))
    return parts


def line_width(parts: Sequence[InkPart]) -> float:
    """Return the median width of the lines of the larger parts, in pixels; 0 where there are none.

    The width is twice the distance of a line's middle from the centre of the nearest pixel of paper (Borgefors 1986),
    less a whole pixel where it is odd and nothing where it is even: half a pixel is never wrong by more than another.
    """
    import cv2

    if not parts:
        return 0.0
    largest = max(max(part.width, part.height) for part in parts)
    middles = []
    for part in [part for part in parts if max(part.width, part.height) >= _LARGE * largest][:_MEASURED]:
        framed = cv2.copyMakeBorder(part.mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
        ridge = distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))
        middles.append(distance[ridge & (framed > 0)])
    return float(2 * np.median(np.concatenate(middles)) - 0.5)
