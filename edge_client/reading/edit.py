"""What a person does to ink that was taken apart wrongly; joining is `edge_client.vision.ink.united`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ink import InkPart


def split(ink: InkPart, *, at: float | None = None) -> tuple[InkPart, InkPart]:
    """Cut some ink in two.

    Without a place it is cut where the least ink is in the way: at a gap if there is one, else at the narrowest
    column of its middle.

    Args:
        ink: to cut.
        at: where, as a fraction of the width from the left.

    Returns:
        the left and the right part, each with ink.

    Raises:
        ValueError: the ink is a single column wide.
    """
    if ink.width < 2:
        raise ValueError("ink one pixel wide cannot be split")
    columns = np.count_nonzero(ink.mask, axis=0).astype(np.float64)
    if at is None:
        centre = (ink.width - 1) / 2
        away = np.abs(np.arange(1, ink.width) - 0.5 - centre) / ink.width
        cost = np.minimum(columns[1:], columns[:-1]) + ink.height * away**2
        cut = 1 + int(np.argmin(cost))
    else:
        cut = min(max(round(at * ink.width), 1), ink.width - 1)
    return _cropped(ink.mask[:, :cut], ink.x, ink.y), _cropped(ink.mask[:, cut:], ink.x + cut, ink.y)


def _cropped(mask: NDArray[np.uint8], x: int, y: int) -> InkPart:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    cut = np.ascontiguousarray(mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1])
    return InkPart(cut, x + left, y + top)
