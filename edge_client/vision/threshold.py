"""Which pixels are ink: a threshold from the noise of the paper and from the ink nearby."""

from __future__ import annotations

import numpy as np

from edge_client.vision.trace import Picture

_SIGMAS = 6.0
_LEAST = 14  # grey levels: less is not seen as ink by the eye either
_SHARE_OF_INK = 0.45  # of the darkness of the ink nearby: about half of a blurred line's edge


def noise_floor(dark: Picture) -> float:
    """Return the darkness that the noise of the paper does not reach, in grey levels.

    Ink covers little of a page, so the median and the spread below it are the paper's own.
    """
    low, middle = np.percentile(dark[::4, ::4], [16, 50])
    return max(float(_LEAST), float(middle + _SIGMAS * max(middle - low, 0.5)))


def binarise(dark: Picture, *, reach: int) -> Picture:
    """Return the ink, ``(h, w) uint8``, 255 on 0.

    A pixel is ink if it is darker than the noise, and nearly half as dark as the darkest ink within ``reach`` pixels:
    so the width of a line does not depend on how dark its pen is.
    """
    import cv2

    floor = noise_floor(dark)
    side = 2 * (reach // 4) + 1
    half = cv2.resize(dark, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    darkest = cv2.dilate(half, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    darkest = cv2.resize(darkest, (dark.shape[1], dark.shape[0]), interpolation=cv2.INTER_NEAREST)
    needed = cv2.max(cv2.convertScaleAbs(darkest, alpha=_SHARE_OF_INK), floor)
    result: Picture = cv2.compare(dark, needed, cv2.CMP_GT)
    return result
