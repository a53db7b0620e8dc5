"""Connected parts of the ink, without dust, and how wide its lines are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ink import InkPart
from edge_client.vision.trace import Picture

_DUST = 0.35  # of the area of a round dot of the ink's width


def find_parts(ink: Picture) -> tuple[tuple[InkPart, ...], float]:
    """Return the connected parts of the ink from left to right, and the median width of its lines in pixels."""
    import cv2

    left, top, width, height = cv2.boundingRect(ink)
    if width == 0:
        return (), 0.0
    crop = ink[top : top + height, left : left + width]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(crop, connectivity=8, ltype=cv2.CV_32S)
    ink_width = _line_width(crop)
    least = _DUST * np.pi / 4 * ink_width**2
    parts = []
    for number in range(1, len(stats)):
        x, y, w, h, area = stats[number].tolist()
        if area < least:
            continue
        mask: NDArray[np.uint8] = np.where(labels[y : y + h, x : x + w] == number, 255, 0).astype(np.uint8)
        parts.append(InkPart(mask, left + x, top + y))
    parts.sort(key=lambda part: (part.x, part.y))
    return tuple(parts), ink_width


def _line_width(ink: Picture) -> float:
    """Return the median width of the lines: twice the distance of their middle from the paper."""
    import cv2

    framed = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 3)
    ridge = (distance >= cv2.dilate(distance, np.ones((3, 3), np.uint8))) & (framed > 0)
    return float(2 * np.median(distance[ridge]) - 1)
