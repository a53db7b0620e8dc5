"""Evening out the light: the paper's own grey at every place, with no ink on it and all shadows in it."""

from __future__ import annotations

import numpy as np

from edge_client.vision.trace import Picture

_REACH = 1 / 40  # of the longer side: lines of ink up to nearly twice this width are ink
_LEAST_REACH_PX = 16  # of the picture as it came: its pens are up to 20 pixels wide, and wider where strokes meet


def reach_of(page: Picture, *, enlarged: float) -> int:
    """Return how far from ink its paper is looked for, in pixels.

    Args:
        page: the picture at its working size.
        enlarged: by how much, at least 1.
    """
    return int(max(_LEAST_REACH_PX * enlarged, max(page.shape[:2]) * _REACH))


def paper_level(grey: Picture, *, reach: int) -> Picture:
    """Return the grey of the paper around every pixel, ``(h, w) uint8``.

    It is the grey closing of the picture (Serra 1982): the darkest among the brightest pixels of all windows that hold
    a pixel. A dark area that is wider than the window keeps its grey, be its edge soft or hard: a shadow, a desk. Ink
    is narrower and vanishes. The window of the minimum is two pixels wider than that of the maximum, so that the grey
    between the two sides of a hard edge is never taken for paper of the brighter side.
    """
    import cv2

    wide = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * reach + 1, 2 * reach + 1))
    wider = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * reach + 3, 2 * reach + 3))
    margin = min(reach + 1, *grey.shape)
    framed = cv2.copyMakeBorder(grey, margin, margin, margin, margin, cv2.BORDER_REFLECT)
    closed = cv2.erode(cv2.dilate(framed, wide), wider)
    return np.ascontiguousarray(closed[margin:-margin, margin:-margin])
