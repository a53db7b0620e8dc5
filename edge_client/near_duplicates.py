"""Whether two samples are nearly the same picture: the same ink, seen twice.

A live view sees the same writing many times, a pixel further or a shade darker; to train on each as if it were new
would give one stroke of the pen many votes. Two pictures are compared as a person would with half-closed eyes: both are
blurred, looked at in 15×15 places, and correlated (Pearson's coefficient). The blur forgives what a second look at the
same ink changes, an edge by a pixel, and little more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.sample import SIDE

ALIKE = 0.95
"""A correlation of at least this makes two samples of one label the same.

Measured on real handwriting, each symbol seen twice at another scale, angle, focus and noise: nine of ten are known
again. Of different writings of one label by one hand, one in sixty is mistaken for another; of bare strokes such as
minus, 1 and parentheses, which differ by hardly more than the noise, two in five.
"""

_STEP = 3
_BLUR_PX = 2.0


def descriptors(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Describe samples ``(n, 45, 45) uint8`` for `alike`: ``(n, 225) float32``, of mean 0 and length 1."""
    # Rows of pixels to rows of places: a Gaussian around every third pixel.
    places = np.arange(_STEP // 2, SIDE, _STEP)
    blur = np.exp(-0.5 * ((places[:, np.newaxis] - np.arange(SIDE)) / _BLUR_PX) ** 2).astype(np.float32)
    flat = (blur @ images.astype(np.float32) @ blur.T).reshape(len(images), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    unit: NDArray[np.float32] = flat / np.maximum(length, np.float32(1e-6))
    return unit


def alike(one: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    """Return whether a sample, ``(225,)``, is nearly one of others, ``(n, 225)``."""
    return len(others) > 0 and float((others @ one).max()) >= ALIKE
