"""Grey, dark ink on bright paper, whatever the picture's colours are."""

from __future__ import annotations

import numpy as np

from edge_client.vision.histogram import quantile
from edge_client.vision.trace import Picture

_SMALL_PX = 160
_WINDOW_PX = 15  # wider than strokes at that size
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

    if quantile(half[::4, ::4], 0.5) >= 128:
        return False
    scale = min(1.0, _SMALL_PX / max(half.shape))
    # averages keep what thin strokes weigh, however small the picture becomes
    size = max(1, round(half.shape[1] * scale)), max(1, round(half.shape[0] * scale))
    small = cv2.resize(half, size, interpolation=cv2.INTER_AREA)
    window = np.ones((_WINDOW_PX, _WINDOW_PX), np.uint8)
    around = cv2.medianBlur(small, _WINDOW_PX)
    # a stroke differs from what is around it and is narrow; gaps between strokes are only narrow, corners only differ
    brighter = cv2.min(cv2.subtract(small, around), cv2.morphologyEx(small, cv2.MORPH_TOPHAT, window))
    darker = cv2.min(cv2.subtract(around, small), cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, window))
    brighter, darker = cv2.subtract(brighter, _NOISE), cv2.subtract(darker, _NOISE)
    return float(cv2.mean(brighter)[0]) > _MORE * float(cv2.mean(darker)[0])
