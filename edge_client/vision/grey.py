"""Grey, dark ink on bright paper, whatever the picture's colours are."""

from __future__ import annotations

import numpy as np

from edge_client.vision.trace import Picture

_SMALL_PX = 160
_NOISE = 3  # grey levels that say nothing
_MORE = 2.0  # times: strokes brighter than their surroundings must outweigh darker ones by this to be the ink


def to_grey(page: Picture) -> Picture:
    """Return luma (ITU-R BT.601), ``(h, w) uint8``: of all projections of colour the one that JPEG keeps best.

    It is smoothed as far as a pixel's neighbours, because ink is wider than a pixel and noise is not.
    """
    import cv2

    grey = page if page.ndim == 2 else cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
    result: Picture = cv2.GaussianBlur(grey, (3, 3), 0)
    return result


def is_light_on_dark(half: Picture) -> bool:
    """Say whether the ink is brighter than what it is written on: chalk on a board, a screen in dark mode.

    Args:
        half: the page in grey, ``(h, w) uint8``.
    """
    import cv2

    if float(np.median(half[::4, ::4])) >= 128:
        return False
    scale = min(1.0, _SMALL_PX / max(half.shape))
    # averages keep what thin strokes weigh, however small the picture becomes
    small = cv2.resize(half, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    around = cv2.medianBlur(small, 15)
    darker = cv2.subtract(cv2.subtract(around, small), _NOISE)
    brighter = cv2.subtract(cv2.subtract(small, around), _NOISE)
    return float(cv2.mean(brighter)[0]) > _MORE * float(cv2.mean(darker)[0])
