"""Digits and signs as plain strokes: what vision is tested with must not change when generated handwriting does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float64]


def _line(*points: tuple[float, float]) -> Stroke:
    return np.array(points, np.float64)


def _arc(x: float, y: float, width: float, height: float, begin: float, end: float) -> Stroke:
    """Part of an ellipse, from one angle to another; 0 is right and 90 below."""
    angles = np.radians(np.linspace(begin, end, 40))
    return np.stack([x + width * np.cos(angles), y + height * np.sin(angles)], axis=1)


def _joined(*strokes: Stroke) -> Stroke:
    return np.concatenate(strokes)


STROKES: dict[str, tuple[Stroke, ...]] = {
    "0": (_arc(28, 50, 26, 48, 0, 360),),
    "1": (_line((8, 24), (24, 4), (24, 98)),),
    "2": (_joined(_arc(28, 28, 25, 26, 190, 395), _line((2, 97), (56, 95))),),
    "3": (_joined(_arc(24, 26, 25, 24, 200, 440), _arc(24, 73, 28, 25, 280, 510)),),
    "4": (_line((34, 2), (4, 62), (60, 60)), _line((42, 34), (40, 98))),
    "5": (_joined(_line((54, 4), (12, 4), (8, 46)), _arc(26, 68, 28, 29, 230, 510)),),
    "6": (_joined(_line((42, 2), (12, 44)), _arc(28, 72, 25, 26, 180, 540)),),
    "7": (_line((4, 6), (54, 3), (22, 98)),),
    "8": (_arc(28, 26, 20, 24, 90, 450), _arc(28, 74, 26, 24, 270, 630)),
    "9": (_joined(_arc(30, 28, 24, 25, 0, 360), _line((54, 28), (44, 98))),),
    "x": (_line((4, 38), (52, 96)), _line((50, 36), (2, 97))),
    "+": (_line((4, 60), (62, 58)), _line((34, 32), (32, 88))),
    "-": (_line((2, 60), (58, 57)),),
    "=": (_line((2, 48), (58, 46)), _line((3, 70), (60, 69))),
}


def written(symbol: str, rng: np.random.Generator) -> list[Stroke]:
    """Write a symbol, 100 units high or less, leaning and swaying as a hand does; strokes that touch still do."""
    lean, widen, sway = 0.12 * rng.standard_normal(), 1 + 0.1 * rng.standard_normal(), 2.0 * rng.standard_normal(4)
    strokes = []
    for stroke in STROKES[symbol]:
        x, y = stroke[:, 0], stroke[:, 1]
        across = widen * (x + lean * (100 - y)) + sway[0] * np.sin(y / 30 + sway[1])
        strokes.append(np.stack([across, y + sway[2] * np.sin(x / 25 + sway[3])], axis=1))
    return strokes
