"""The canonical sample: one symbol as 45×45 uint8, ink 255 on paper 0, its box scaled to fit and centred."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from shared.standard_pen import LINE_LEVEL, SIDE, InkPoints, ink_places
from shared.thinning import thin

__all__ = [
    "INK_THRESHOLD",
    "SIDE",
    "Sample",
    "as_input",
    "canonical_sample",
    "canonical_samples",
    "fit",
    "ink_box",
    "ink_points",
    "spans",
]

INK_THRESHOLD = 40
"""Grey levels of at least this much ink (of 255) belong to the symbol's box."""

_FADED = 160  # ink that is nowhere darker than this, after a picture was made smaller, has faded

_WORK_SIDE = 56
"""Pixels of a crop's longer side while it is thinned: a line of a seventh of the symbol leaves the 45 of a sample."""

_FULL_SHARE = 0.4  # of full ink: at least so much is a line, where it was drawn larger or smaller
_THIN = 1.3  # pixels of ink to a pixel of its middle line, at most, are thin ink
_DOT_SHARE = 0.4  # ink whose middle line spans less of it than this share is a dot, and is not drawn out to a symbol

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
    """Turn ink as it lies on the paper into a sample: lines one pixel wide, the box 45 pixels on its longer side.

    This is the one way from ink to a sample, for datasets and cameras alike: whatever the pen and however large the
    picture, lines come out as thin as those of recorded pen strokes. A picture that is a sample already comes back
    unchanged: 45×45, with thin ink that spans it from edge to edge but for a pixel.

    Args:
        ink: ``(height, width) uint8``, ink high on paper low.
        threshold: the least grey level that counts as ink.

    Returns:
        ``(45, 45) uint8``, ink 255 on paper 0.

    Raises:
        DataError: the shape or dtype is another, or the picture has no ink.
    """
    sample: Sample = canonical_samples([ink], threshold=threshold)[0]
    return sample


def canonical_samples(inks: Sequence[NDArray[np.uint8]], *, threshold: int = INK_THRESHOLD) -> NDArray[np.uint8]:
    """Turn many pieces of ink into samples, ``(n, 45, 45) uint8``; twenty at once cost little more than one.

    Arguments and errors are those of `canonical_sample`.
    """
    samples = np.zeros((len(inks), SIDE, SIDE), np.uint8)
    left: list[tuple[int, NDArray[np.uint8]]] = []
    for i, ink in enumerate(inks):
        crop = _crop(ink, threshold=threshold)
        if crop is None:
            samples[i] = ink
        else:
            left.append((i, crop))
    if not left:
        return samples
    work = np.zeros((len(left), _WORK_SIDE, _WORK_SIDE), np.uint8)
    for place, (_, crop) in zip(work, left, strict=True):
        _bring(crop, place)
    samples[[i for i, _ in left]] = _drawn(thin(work))
    return samples


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
    """Turn samples ``(n, 45, 45) uint8`` into the network's input ``(n, 45, 45, 1) float32 in [0, 1]``.

    Whatever the samples were drawn with, the network sees the standard pen (`shared.standard_pen`): samples of older
    datasets, thick or soft, need no other preparation.

    Raises:
        DataError: the shape or dtype is another.
    """
    return ink_points(samples).drawn()


def ink_points(samples: NDArray[np.uint8]) -> InkPoints:
    """Find the lines of samples ``(n, 45, 45) uint8``; what is drawn of them is the network's input.

    Raises:
        DataError: the shape or dtype is another.
    """
    if samples.ndim != 3 or samples.shape[1:] != (SIDE, SIDE) or samples.dtype != np.uint8:
        raise DataError(f"expected samples (n, 45, 45) uint8, got {samples.dtype} of shape {samples.shape}")
    return InkPoints.of(samples)


def spans(sample: NDArray[np.uint8], *, threshold: int = INK_THRESHOLD) -> bool:
    """Tell whether a picture is 45×45 with ink that spans it from edge to edge, but for a pixel, and is centred."""
    box = ink_box(sample, threshold=threshold) if sample.shape == (SIDE, SIDE) else None
    if box is None:
        return False
    left, top, width, height = box
    centred = abs(2 * left + width - SIDE) <= 2 and abs(2 * top + height - SIDE) <= 2
    return centred and max(width, height) >= SIDE - 1


def _crop(ink: NDArray[np.uint8], *, threshold: int) -> NDArray[np.uint8] | None:
    """Cut ink to its box; None where it is a sample already."""
    if ink.ndim != 2 or ink.dtype != np.uint8:
        raise DataError(f"expected a grey (height, width) uint8 picture, got {ink.dtype} of shape {ink.shape}")
    box = ink_box(ink, threshold=threshold) if ink.shape == (SIDE, SIDE) else _box(ink, threshold=threshold)
    if box is None:
        raise DataError("the picture has no ink: every pixel is paper")
    if spans(ink, threshold=threshold):
        lines = ink >= LINE_LEVEL
        if np.count_nonzero(lines) <= _THIN * np.count_nonzero(thin(lines[np.newaxis].view(np.uint8))):
            return None
    left, top, width, height = box
    return ink[top : top + height, left : left + width]


def _box(ink: NDArray[np.uint8], *, threshold: int) -> tuple[int, int, int, int] | None:
    """Find the box of the ink as `ink_box` does, but faster."""
    import cv2  # heavy: what is a sample already, as on a device that only trains, never needs it

    left, top, width, height = cv2.boundingRect((ink >= threshold).view(np.uint8))
    return (left, top, width, height) if width else None


def _bring(crop: NDArray[np.uint8], work: NDArray[np.uint8]) -> None:
    """Draw a crop at the size for thinning, ink 1 on paper 0: lines of half a pixel are still ink."""
    import cv2  # heavy: a device that only trains never needs it

    height, width = crop.shape
    scale = _WORK_SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    level = _FULL_SHARE * int(crop.max())
    if scale < 1:
        crop = cv2.compare(crop, level, cv2.CMP_GE)
        level = _FULL_SHARE * 255 * scale  # of what a line has left that was a pixel wide
    scaled = cv2.resize(crop, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    np.greater_equal(scaled, np.uint8(ceil(level)), out=work[: size[1], : size[0]].view(np.bool_))


def _drawn(lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fit thinned pictures' lines to samples, ``(n, 45, 45) uint8``."""
    picture, rows, columns = ink_places(lines)
    counts = np.bincount(picture, minlength=len(lines))
    first = counts.cumsum() - counts
    points = np.stack([columns, rows])
    low, high = np.minimum.reduceat(points, first, axis=1), np.maximum.reduceat(points, first, axis=1)
    scale = (SIDE - 1) / np.maximum((high - low).max(axis=0), _DOT_SHARE * _WORK_SIDE)
    moved = (points - np.repeat((low + high) / 2, counts, axis=1)) * np.repeat(scale, counts) + SIDE / 2
    x, y = np.clip(np.floor(moved), 0, SIDE - 1).astype(np.int32)
    samples = np.zeros((len(lines), SIDE, SIDE), np.uint8)
    samples[picture, y, x] = 255
    for i in np.flatnonzero(scale > 1):  # neighbours are no longer side by side
        its = slice(first[i], first[i] + counts[i])
        _join(samples[i], lines[i], rows[its], columns[its], fitted=np.stack([x[its], y[its]], axis=1))
    return samples


def _join(
    sample: NDArray[np.uint8],
    line: NDArray[np.uint8],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    *,
    fitted: NDArray[np.int32],
) -> None:
    """Draw lines between the points that were neighbours before they moved apart."""
    import cv2

    number = np.zeros((line.shape[0] + 1, line.shape[1] + 2), np.intp)
    number[rows, columns + 1] = np.arange(1, len(rows) + 1)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        other = number[rows + down, columns + 1 + right]
        pairs = np.stack([fitted[other > 0], fitted[other[other > 0] - 1]], axis=1)
        cv2.polylines(sample, list(pairs), False, 255)
