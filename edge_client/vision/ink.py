"""Ink as vision finds it: connected parts with their places, on a page whose pixels map to the picture's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""``(x, y, width, height)`` in pixels."""


@dataclass(frozen=True, eq=False)
class InkPart:
    """Some ink and where it is: a connected component, part of one, or several together.

    Attributes:
        mask: ``(height, width) uint8``, ink 255 on paper 0, cut to the box of the ink.
        x: the column of the page at which the mask begins.
        y: the row of the page at which the mask begins.
    """

    mask: NDArray[np.uint8]
    x: int
    y: int

    @property
    def width(self) -> int:
        """Columns of the mask."""
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        """Rows of the mask."""
        return int(self.mask.shape[0])

    @property
    def right(self) -> int:
        """The first column of the page right of the ink."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row of the page below the ink."""
        return self.y + self.height

    @property
    def box(self) -> Box:
        """The box on the page."""
        return self.x, self.y, self.width, self.height

    @property
    def area(self) -> int:
        """Pixels of ink."""
        return int(np.count_nonzero(self.mask))


def united(parts: Sequence[InkPart]) -> InkPart:
    """Return the ink of several parts as one.

    Raises:
        ValueError: there are no parts.
    """
    if len(parts) == 1:
        return parts[0]
    x, y = min(part.x for part in parts), min(part.y for part in parts)
    mask = np.zeros((max(part.bottom for part in parts) - y, max(part.right for part in parts) - x), np.uint8)
    for part in parts:
        place = mask[part.y - y : part.bottom - y, part.x - x : part.right - x]
        np.maximum(place, part.mask, out=place)
    return InkPart(mask, x, y)


@dataclass(frozen=True, eq=False)
class InkPage:
    """All ink of a picture.

    The page is the picture made smaller or larger and perhaps turned, so that writing is upright and of a size that
    the next steps are made for; ``to_picture`` leads back.

    Attributes:
        parts: connected components, from left to right. Empty where nothing is written.
        width: of the page, in its own pixels.
        height: of the page, in its own pixels.
        ink_width: the median width of the lines, in pixels of the page; 0 where nothing is written.
        to_picture: ``(3, 3) float64``, the homography from page to picture pixels (homogeneous columns x, y, 1).
    """

    parts: tuple[InkPart, ...]
    width: int
    height: int
    ink_width: float
    to_picture: NDArray[np.float64]

    def box_in_picture(self, part: InkPart) -> Box:
        """Return the box of some ink in pixels of the picture, rounded outwards by less than a pixel."""
        return self.boxes_in_picture([part])[0]

    def boxes_in_picture(self, parts: Sequence[InkPart]) -> list[Box]:
        """Return the boxes of several pieces of ink, each as `box_in_picture` does."""
        if not parts:
            return []
        x, y = self.to_picture[:2, 2].tolist()
        if np.array_equal(self.to_picture - np.eye(3), [[0, 0, round(x)], [0, 0, round(y)], [0, 0, 0]]):
            return [(part.x + round(x), part.y + round(y), part.width, part.height) for part in parts]
        # The ends of its rows have all corners of the ink's convex hull, which remain the outermost points.
        ends = [_ends_of_rows(part) for part in parts]
        starts = np.cumsum([0, *(points.shape[1] for points in ends[:-1])])
        mapped = self.to_picture @ np.concatenate(ends, axis=1)
        places = mapped[:2] / mapped[2]
        half = float(np.sqrt(abs(np.linalg.det(self.to_picture[:2, :2])))) / 2
        least = np.floor(np.minimum.reduceat(places, starts, axis=1) - half + 0.5).astype(int)
        most = np.ceil(np.maximum.reduceat(places, starts, axis=1) + half - 0.5).astype(int)
        sides = np.maximum(1, most - least)
        return [(x, y, width, height) for x, y, width, height in np.concatenate([least, sides]).T.tolist()]


def _ends_of_rows(part: InkPart) -> NDArray[np.float64]:
    """Return the centres of the first and the last pixel of ink of every row, ``(3, points)``, homogeneous."""
    rows = np.flatnonzero(part.mask.any(axis=1))
    inked = part.mask[rows] > 0
    ends = np.ones((3, 2, len(rows)))
    ends[0, 0], ends[0, 1] = inked.argmax(axis=1), part.width - 1 - inked[:, ::-1].argmax(axis=1)
    ends[0] += part.x + 0.5
    ends[1] = rows + (part.y + 0.5)
    return ends.reshape(3, -1)
