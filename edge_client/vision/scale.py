"""The size that a picture is worked on at: large enough for thin ink, small enough to be quick."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.trace import Picture

LARGEST_PX = 4_000_000  # pixels: a page of more is made smaller
SMALLEST_SIDE = 640  # pixels of the longer side: a picture of less is made larger
_MOST_ENLARGED = 4.0


def working_scale(*, width: int, height: int) -> float:
    """Return page pixels per picture pixel.

    A line of one pixel that is averaged into half a pixel keeps its signal-to-noise ratio, because noise is averaged
    with it. So large pictures are made smaller without losing thin ink. Small ones are made larger, so that what is
    one pixel apart stays apart.
    """
    longer = max(width, height)
    if longer < SMALLEST_SIDE:
        return min(_MOST_ENLARGED, SMALLEST_SIDE / longer)
    return min(1.0, math.sqrt(LARGEST_PX / (width * height)))


def to_working_size(picture: Picture) -> tuple[Picture, NDArray[np.float64]]:
    """Return the picture at its working size, and the homography that leads from there to the picture's own pixels."""
    import cv2

    height, width = picture.shape[:2]
    scale = working_scale(width=width, height=height)
    if scale == 1.0:
        return picture, np.eye(3)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    page: Picture = cv2.resize(picture, size, interpolation=method)
    return page, np.diag([width / size[0], height / size[1], 1.0])
