"""Augmentation: every time a device trains on a sample, it is turned, slanted, stretched, moved and bent a little anew.

What a person writes next is never what was written before. The points of the lines are moved, not the picture's pixels:
lines stay as wide and as sharp as the standard pen draws them, and a batch costs a fraction of a training step. Bending
is by smooth random waves, after the elastic distortions of Simard, Steinkraus and Platt 2003, "Best Practices for
Convolutional Neural Networks Applied to Visual Document Analysis" (ICDAR, section 2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shared.standard_pen import SIDE, InkPoints

TURN_RAD = math.radians(12.0)
SLANT = 0.25
STRETCH = 0.2
SHRINK = 0.15
SHIFT_PX = 2.0
BEND_PX = 1.5
"""The most that strength 1 changes: an angle, a shear, log-ratios of the sides and of the size, pixels."""

_WAVES = 2  # of each direction in which points are bent
_DRAWS = 6 + 4 * _WAVES


def varied(points: InkPoints, *, strength: float, rng: np.random.Generator) -> InkPoints:
    """Change each sample's points at random.

    Args:
        points: of samples, around the middle of the picture.
        strength: how much, as a share of the most; 0 leaves the points as they are and draws nothing.
        rng: draws the changes: for the same samples and generator, the same points.
    """
    if strength == 0 or len(points) == 0:
        return points
    draws = (2 * rng.random((_DRAWS, len(points)), np.float32) - 1)[:, points.sample_of_point()]
    turn, slant, stretch, shrink, right, down = draws[:6] * np.float32(strength)
    x, y = points.x, points.y
    bend = np.float32(strength * BEND_PX / math.sqrt(_WAVES))
    moved = [np.zeros_like(x), np.zeros_like(x)]
    for wave in range(_WAVES):
        for axis in range(2):
            phase, tilt = draws[6 + 4 * wave + 2 * axis : 8 + 4 * wave + 2 * axis]
            # between half a wave and one wave across the picture, at any angle
            angle = np.float32(math.pi) * tilt
            along = x * np.cos(angle) + y * np.sin(angle)
            length = np.float32((wave + 1) * math.pi / SIDE)
            moved[axis] += bend * np.sin(along * length + np.float32(math.pi) * phase)
    x, y = x + moved[0], y + moved[1]
    side = np.exp(stretch * np.float32(STRETCH / 2))
    size = np.exp(-np.abs(shrink) * np.float32(SHRINK))
    x = (x + y * slant * np.float32(SLANT)) * side
    y = y / side
    cos, sin = np.cos(turn * np.float32(TURN_RAD)) * size, np.sin(turn * np.float32(TURN_RAD)) * size
    turned: NDArray[np.float32] = cos * x - sin * y + right * np.float32(SHIFT_PX)
    lifted: NDArray[np.float32] = sin * x + cos * y + down * np.float32(SHIFT_PX)
    return InkPoints(turned, lifted, points.starts)
