"""One pen for all ink: a sample's lines are thinned to points, fitted to the picture, and drawn anew with one width.

What a reader is trained on was written with pens of any width, rendered one pixel thin, photographed; what it reads
comes from other pens and cameras. After this step none of that is to be seen: only where the lines run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.thinning import thin

SIDE = 45
"""Rows and columns of a sample, in pixels: the size of the Kaggle set's pictures."""

SPAN = 42.0
"""Pixels between the outermost points of a symbol as it is drawn: the pen's width lies around them."""

MOST_GROWTH = 1.5
"""A sample's points are moved apart by this factor at most: further, and gaps would show, and a dot would sprawl."""

LINE_LEVEL = 80
"""Grey levels of at least this much ink (of 255) belong to a line: half of what a hairline between two pixels has."""

_MIDDLE, _SIDE = np.float32(0.5), np.float32(0.25)  # the pen's profile: a line of about 2.5 pixels, with soft edges
_FLOW = np.float32(3)  # ink that the pen leaves: a line's middle is black also where it runs diagonally
_CHUNK = 512  # samples at once: bounds the memory of a large set

Grey = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class InkPoints:
    """The lines of samples as points, a pixel apart, around the middle of the picture.

    Attributes:
        x: ``(points,) float32``, columns from the middle of the picture, in pixels.
        y: ``(points,) float32``, rows from the middle of the picture.
        starts: ``(n + 1,) int64``, where each sample's points begin and the last one's end.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        """How many samples."""
        return len(self.starts) - 1

    @classmethod
    def of(cls, samples: Grey) -> InkPoints:
        """Find the lines of samples ``(n, 45, 45) uint8``, ink 255 on paper 0; of any width.

        Each symbol is scaled so that its longer side spans `SPAN`, and centred.
        """
        xs, ys, counts = [], [], []
        for start in range(0, len(samples), _CHUNK):
            sample, row, column = ink_places(
                thin(np.greater_equal(samples[start : start + _CHUNK], LINE_LEVEL).view(np.uint8))
            )
            count = np.bincount(sample, minlength=min(_CHUNK, len(samples) - start))
            x, y = _fitted(column.astype(np.float32), row.astype(np.float32), count)
            xs.append(x)
            ys.append(y)
            counts.append(count)
        none = np.empty(0, np.float32)
        starts = np.concatenate([np.zeros(1, np.int64), *counts]).cumsum()
        return cls(np.concatenate([none, *xs]), np.concatenate([none, *ys]), starts)

    def take(self, chosen: NDArray[np.intp]) -> InkPoints:
        """Return some of the samples, in this order."""
        counts = self.starts[chosen + 1] - self.starts[chosen]
        starts = np.concatenate([np.zeros(1, np.int64), counts.cumsum()])
        at = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], counts)
        return InkPoints(self.x[at], self.y[at], starts)

    def sample_of_point(self) -> NDArray[np.intp]:
        """Tell for each point which sample it belongs to, ``(points,)``."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def scaled(self, factor: float) -> InkPoints:
        """Return the same, larger or smaller around the middle of the picture; what leaves it is not drawn."""
        if factor == 1.0:
            return self
        return InkPoints(self.x * np.float32(factor), self.y * np.float32(factor), self.starts)

    def drawn(self) -> NDArray[np.float32]:
        """Draw the points with the standard pen, ``(n, 45, 45, 1) float32 in [0, 1]``. Points outside leave no ink."""
        room = SIDE + 2  # a border takes what falls outside
        middle = np.float32((room - 1) / 2)
        x = np.clip(self.x + middle, 0, room - 1)
        y = np.clip(self.y + middle, 0, room - 1)
        column, row = x.astype(np.int64), y.astype(np.int64)
        right, below = x - column, y - row
        at = (self.sample_of_point() * room + row) * room + column
        left, above = 1 - right, 1 - below
        cells = np.concatenate([at, at + 1, at + room, at + room + 1])
        weights = np.concatenate([left * above, right * above, left * below, right * below])
        size = len(self) * room * room
        ink = np.bincount(cells, weights, size)[:size].astype(np.float32).reshape(-1, room, room)
        ink[:, [0, -1]] = ink[:, :, [0, -1]] = 0
        spread = _blurred(_blurred(ink.reshape(-1), apart=room), apart=1)
        drawn: NDArray[np.float32] = spread.reshape(ink.shape)[:, 1:-1, 1:-1, np.newaxis] * _FLOW
        return np.minimum(drawn, np.float32(1), out=drawn)


def ink_places(pictures: Grey) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return where ink is, ``np.nonzero`` for pictures ``(n, height, width) uint8`` of nothing but 0 and 1, faster."""
    _, height, width = pictures.shape
    lines, column = np.divmod(np.flatnonzero(pictures.view(np.bool_)), width)
    picture, row = np.divmod(lines, height)
    return picture, row, column


def _fitted(
    x: NDArray[np.float32], y: NDArray[np.float32], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale and centre each sample's points; samples without any are passed over."""
    if not len(x):
        return x, y
    inked = counts[counts > 0]
    first = np.concatenate([np.zeros(1, np.int64), inked[:-1].cumsum()])
    left, right = np.minimum.reduceat(x, first), np.maximum.reduceat(x, first)
    top, bottom = np.minimum.reduceat(y, first), np.maximum.reduceat(y, first)
    extent = np.maximum(np.maximum(right - left, bottom - top), np.float32(1))
    scale = np.minimum(np.float32(SPAN) / extent, np.float32(MOST_GROWTH))
    moved_x = (x - np.repeat((left + right) / 2, inked)) * np.repeat(scale, inked)
    moved_y = (y - np.repeat((top + bottom) / 2, inked)) * np.repeat(scale, inked)
    return moved_x.astype(np.float32), moved_y.astype(np.float32)


def _blurred(ink: NDArray[np.float32], *, apart: int) -> NDArray[np.float32]:
    """Spread ink to its two neighbours along an axis, which are so many places apart; nothing lies at the border."""
    blurred: NDArray[np.float32] = ink * _MIDDLE
    side = ink * _SIDE
    blurred[apart:] += side[:-apart]
    blurred[:-apart] += side[apart:]
    return blurred
