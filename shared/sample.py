"""The canonical sample: one symbol as 45×45 uint8, ink 255 on paper 0, its box scaled to fit and centred."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError

SIDE = 45
"""Rows and columns of a sample, in pixels: the size of the Kaggle set's pictures."""

INK_THRESHOLD = 40
"""Grey levels of at least this much ink (of 255) belong to the symbol's box."""

_FADED = 160  # ink that is nowhere darker than this, after a picture was made smaller, has faded

Sample = NDArray[np.uint8]


def ink_box(ink: NDArray[np.uint8], *, threshold: int = INK_THRESHOLD) -> tuple[int, int, int, int] | None:
    """Find the box of the ink: ``(left, top, width, height)`` in pixels, or None on blank paper.

    Args:
        ink: ``(height, width) uint8``, ink high on paper low.
        threshold: the least grey level that counts as ink.
    """
    mask = ink >= threshold
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1


def canonical_sample(ink: NDArray[np.uint8], *, threshold: int = INK_THRESHOLD) -> Sample:
    """Crop the ink to its box, scale its longer side to 45 pixels, and centre it.

    A picture that is a canonical sample already comes back unchanged: 45×45, with ink that spans it from edge to edge
    but for a pixel. To scale it again for that pixel's sake would blur a line one pixel wide.

    Args:
        ink: ``(height, width) uint8``, ink high on paper low.
        threshold: the least grey level that counts as ink.

    Returns:
        ``(45, 45) uint8``, ink 255 on paper 0.

    Raises:
        DataError: the shape or dtype is another, or the picture has no ink.
    """
    if ink.ndim != 2 or ink.dtype != np.uint8:
        raise DataError(f"expected a grey (height, width) uint8 picture, got {ink.dtype} of shape {ink.shape}")
    box = ink_box(ink, threshold=threshold)
    if box is None:
        raise DataError("the picture has no ink: every pixel is paper")
    left, top, width, height = box
    if ink.shape == (SIDE, SIDE) and max(width, height) >= SIDE - 1 and _is_centred(box):
        return ink
    crop = ink[top : top + height, left : left + width]
    return fit(crop)


def fit(crop: NDArray[np.uint8]) -> Sample:
    """Scale a crop so that its longer side is 45 pixels, and centre it on 45×45 paper.

    A line that gets thinner than a pixel would fade to grey; it is brought back to full ink.

    Args:
        crop: ``(height, width) uint8``, ink high on paper low, cut to the box of the ink.

    Returns:
        ``(45, 45) uint8``.
    """
    import cv2  # heavy: a device that only trains never needs it

    height, width = crop.shape
    scale = SIDE / max(height, width)
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(crop, (new_width, new_height), interpolation=way)
    peak = int(scaled.max())
    if scale < 1 and 0 < peak < _FADED:
        scaled = cv2.convertScaleAbs(scaled, alpha=255 / peak)
    sample = np.zeros((SIDE, SIDE), np.uint8)
    y, x = (SIDE - new_height) // 2, (SIDE - new_width) // 2
    sample[y : y + new_height, x : x + new_width] = scaled
    return sample


def as_input(samples: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn samples ``(n, 45, 45) uint8`` into the network's input ``(n, 45, 45, 1) float32 in [0, 1]``."""
    if samples.ndim != 3 or samples.shape[1:] != (SIDE, SIDE) or samples.dtype != np.uint8:
        raise DataError(f"expected samples (n, 45, 45) uint8, got {samples.dtype} of shape {samples.shape}")
    scaled: NDArray[np.float32] = samples[..., np.newaxis].astype(np.float32) / np.float32(255)
    return scaled


def _is_centred(box: tuple[int, int, int, int]) -> bool:
    left, top, width, height = box
    return abs(2 * left + width - SIDE) <= 2 and abs(2 * top + height - SIDE) <= 2
