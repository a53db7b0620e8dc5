"""Whether two samples are nearly the same picture: the same ink, seen twice.

A live view sees the same writing many times, a pixel further or a shade darker; to train on each as if it were new
would give one stroke of the pen many votes. Two pictures are compared as a person would with half-closed eyes: both are
blurred and made smaller, and correlated (Pearson's coefficient over the cells).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALIKE = 0.97
"""A correlation of at least this makes two samples of one label the same."""

_CELL = 3
"""The blurred sample is looked at every so many pixels: 15×15 cells."""


def descriptors(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe samples ``(n, 45, 45) uint8`` for `alike`: ``(n, 225) float32``, of mean 0 and length 1."""
    n, side, _ = images.shape
    padded = np.zeros((n, side + 2 * _CELL, side + 2 * _CELL), np.float32)
    padded[:, _CELL:-_CELL, _CELL:-_CELL] = images
    # A cell is the mean of the 9×9 pixels around it, so that neighbours overlap and a shift of a pixel changes little.
    rows = padded.reshape(n, -1, _CELL, side + 2 * _CELL).sum(axis=2)
    cells = rows.reshape(n, rows.shape[1], -1, _CELL).sum(axis=3)
    wide = cells[:, :-2] + cells[:, 1:-1] + cells[:, 2:]
    flat = (wide[:, :, :-2] + wide[:, :, 1:-1] + wide[:, :, 2:]).reshape(n, -1)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: NDArray[np.float32] = flat / np.maximum(length, np.float32(1e-6))
    return unit


def alike(one: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    """Return whether a sample, ``(225,)``, is nearly one of others, ``(n, 225)``."""
    return len(others) > 0 and float((others @ one).max()) >= ALIKE
