"""Which pixels are ink: a threshold from the noise of the paper and from the ink nearby."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.histogram import quantiles
from edge_client.vision.trace import Picture

_SIGMAS = 6.0
_LEAST = 12.0  # grey levels: fainter marks are left to the eye too
_SHARE_NEARBY = 0.45  # of the darkness of the ink nearby: half of a blurred line's edge, a little less for thin lines
_SHARE_OF_PAGE = 0.2  # of the darkest ink of the page: what is fainter shows through from the other side


def noise_floor(dark: Picture, *, beyond: NDArray[np.bool_] | None = None) -> float:
    """Return the darkness that the noise of the paper does not reach, in grey levels.

    Ink covers little of a page, so the median and the spread below it are the paper's own.

    Args:
        dark: how much darker than its paper every pixel is, ``(h, w) uint8``.
        beyond: what is not paper at all, ``(h, w) bool``.
    """
    seen = np.ascontiguousarray(dark[::3, ::3])
    if beyond is not None:
        seen = seen[~beyond[::3, ::3]]
    middle, low = quantiles(seen, 0.5, 0.16)
    return max(_LEAST, middle + _SIGMAS * max(middle - low, 0.5))


def needed_darkness(dark: Picture, *, paper: Picture, floor: float, ink: float, reach: int) -> Picture:
    """Return how dark a pixel must be to be ink, ``(h, w) uint8``.

    Darker than the noise, darker than what shows through from the other side, and nearly half as dark as the darkest
    ink within ``reach`` pixels, each against its own paper: so the width of a line depends neither on how dark its pen
    is nor on a shadow.

    Args:
        dark: how much darker than its paper every pixel is, ``(h, w) uint8``.
        paper: the grey of the paper, ``(h, w) uint8``.
        floor: what noise does not reach, in grey levels.
        ink: the darkness of the page's ink, as a share of the paper's grey.
        reach: in pixels.
    """
    import cv2

    side = 2 * (reach // 2) + 1
    share = cv2.divide(dark, paper, scale=255)
    darkest = cv2.dilate(share, cv2.getStructuringElement(cv2.MORPH_RECT, (side, side)))
    beside_ink = cv2.multiply(darkest, paper, scale=_SHARE_NEARBY / 255)
    through_paper = cv2.convertScaleAbs(paper, alpha=_SHARE_OF_PAGE * ink)
    needed: Picture = cv2.max(cv2.max(beside_ink, through_paper), floor)
    return needed
