"""The whole of vision: from a picture to the ink on it."""

from __future__ import annotations

import numpy as np

from edge_client.vision.ink import InkPage
from edge_client.vision.light import darkness, reach_px
from edge_client.vision.parts import find_parts
from edge_client.vision.scale import to_working_size
from edge_client.vision.threshold import binarise
from edge_client.vision.trace import Picture, Trace
from shared.errors import DataError


def find_ink(picture: Picture, *, trace: Trace | None = None) -> InkPage:
    """Find the ink of a picture.

    Args:
        picture: ``(h, w)`` grey or ``(h, w, 3)`` BGR, uint8.
        trace: is told of every step.

    Raises:
        DataError: the picture has another shape or type.
    """
    import cv2

    _check(picture)
    trace = Trace() if trace is None else trace
    with trace.step("size"):
        page, to_picture = to_working_size(picture)
    with trace.step("grey"):
        grey = page if page.ndim == 2 else cv2.cvtColor(page, cv2.COLOR_BGR2GRAY)
        grey = cv2.medianBlur(grey, 3)
    trace.show("grey", lambda: grey)
    with trace.step("light"):
        dark = darkness(grey)
    trace.show("light", lambda: 255 - dark)
    with trace.step("ink"):
        ink = binarise(dark, reach=reach_px(grey))
    trace.show("ink", lambda: 255 - ink)
    with trace.step("parts"):
        parts, ink_width = find_parts(ink)
    return InkPage(parts, grey.shape[1], grey.shape[0], ink_width, to_picture)


def _check(picture: Picture) -> None:
    shape = picture.shape
    usable = picture.ndim == 2 or (picture.ndim == 3 and shape[2] == 3)
    if not usable or picture.dtype != np.uint8 or picture.size == 0:
        raise DataError(f"expected a picture of shape (h, w) or (h, w, 3) and uint8, got {shape} {picture.dtype}")
