"""Expressions as the movement of a hand on the page's paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.handwriting import Writer, draw_sample, draw_writer

_BETWEEN = ("+", "-", "times", "div", "=")
_MIDDLE = 0.55


def a_writer() -> Writer:
    """Return somebody who writes as most people do."""
    return draw_writer(7, 3, spread=0.4)


def strokes_of(
    labels: Sequence[str],
    *,
    writer: Writer | None = None,
    x: float = 40,
    y: float = 60,
    height: float = 60,
    seed: int = 7,
) -> list[NDArray[np.float64]]:
    """Write labels beside each other.

    Args:
        labels: digits, letters without descenders, and signs.
        writer: whose hand it is.
        x: where the first begins, in pixels.
        y: the top of a digit, in pixels.
        height: of a digit, in pixels.
        seed: what the writing is drawn from.

    Returns:
        strokes, each ``(n, 2) float64`` in pixels.
    """
    writer = writer or a_writer()
    rng = np.random.default_rng(seed)
    scale = height / 100
    strokes: list[NDArray[np.float64]] = []
    for label in labels:
        drawn = draw_sample(writer, label, rng)
        points = np.concatenate(drawn) * scale
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        middle = y + _MIDDLE * height - (top + bottom) / 2
        down = middle if label in _BETWEEN else y + height - bottom
        strokes += [_thinned(stroke * scale + (x - left, down)) for stroke in drawn]
        x += float(right - left) + 0.3 * height
    return strokes


def _thinned(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out every other point, as a mouse does; every point is a message to the browser."""
    return np.concatenate([stroke[:-1:2], stroke[-1:]])


def as_json(strokes: Sequence[NDArray[np.float64]], *, width: int = 700, height: int = 300) -> dict[str, object]:
    """Return the drawing as the page sends it."""
    flat = [np.round(stroke, 1).ravel().tolist() for stroke in strokes]
    return {"width": width, "height": height, "strokes": flat}
