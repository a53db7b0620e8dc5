"""A drawing as a browser tells it: strokes of points, which become a picture to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.trace import Picture
from shared.web.refusal import RefusedError
from shared.web.request_body import whole

MOST_STROKES = 500
MOST_POINTS = 20_000
MOST_SIDE = 4096
"""Of the drawing, in its own units."""

DRAWING_BYTES = 1024 * 1024
"""Room for so many points as JSON."""

PEN_WIDTH = 4.0
"""Of the line, in units of the drawing: a pen on paper of about a hand's width."""

_LONG_SIDE_PX = 1600
_SHIFT = 4  # bits of fraction in the coordinates OpenCV draws with
_PAPER, _INK = 255, 24


@dataclass(frozen=True, eq=False)
class Drawing:
    """What was drawn.

    Attributes:
        width: of the paper, in units of the drawing.
        height: of the paper, in units of the drawing.
        strokes: each ``(n, 2) float64``, n ≥ 1, x to the right and y downwards, within the paper.
    """

    width: int
    height: int
    strokes: tuple[NDArray[np.float64], ...]

    def picture(self) -> Picture:
        """Draw it with a pen of constant width, grey uint8, at most 1600 pixels long: boxes are found in its pixels."""
        import cv2

        scale = min(1.0, _LONG_SIDE_PX / max(self.width, self.height))
        canvas = np.full((max(1, round(self.height * scale)), max(1, round(self.width * scale))), _PAPER, np.uint8)
        thickness = max(2, round(PEN_WIDTH * scale))
        for stroke in self.strokes:
            fixed = np.rint(stroke * scale * (1 << _SHIFT)).astype(np.int32)
            if len(fixed) == 1:
                centre = (int(fixed[0, 0]), int(fixed[0, 1]))
                cv2.circle(canvas, centre, (thickness << _SHIFT) * 3 // 4, _INK, cv2.FILLED, cv2.LINE_AA, _SHIFT)
            else:
                cv2.polylines(canvas, [fixed], False, _INK, thickness, cv2.LINE_AA, _SHIFT)
        return canvas


def drawing_from(body: dict[str, Any]) -> Drawing:
    """Take a drawing from JSON: ``{"width", "height", "strokes": [[x, y, x, y, …], …]}``.

    Points outside the paper are moved to its edge.

    Raises:
        RefusedError: it is anything else, or too much; one line.
    """
    width = whole(body, "width", least=16, most=MOST_SIDE)
    height = whole(body, "height", least=16, most=MOST_SIDE)
    given = body.get("strokes")
    if not isinstance(given, list) or len(given) > MOST_STROKES:
        raise RefusedError(400, f"expected 'strokes' as a list of at most {MOST_STROKES} strokes")
    strokes = []
    points = 0
    for number, stroke in enumerate(given):
        if not isinstance(stroke, list) or not stroke or len(stroke) % 2:
            raise RefusedError(400, f"stroke {number}: expected a list x, y, x, y, … of numbers")
        points += len(stroke) // 2
        if points > MOST_POINTS:
            raise RefusedError(400, f"the drawing has more than {MOST_POINTS} points; draw less at once")
        if any(type(value) not in (int, float) for value in stroke):
            raise RefusedError(400, f"stroke {number}: expected numbers")
        try:
            path = np.array(stroke, np.float64).reshape(-1, 2)
        except OverflowError:
            raise RefusedError(400, f"stroke {number}: a number is too large") from None
        if not np.isfinite(path).all():
            raise RefusedError(400, f"stroke {number}: a number is too large")
        strokes.append(np.clip(path, 0.0, [width, height]))
    return Drawing(width, height, tuple(strokes))
