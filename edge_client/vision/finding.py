"""The whole of vision: from a picture to the ink on it."""

from __future__ import annotations

import numpy as np

from edge_client.vision.ink import InkPage
from edge_client.vision.light import paper_level, reach_of
from edge_client.vision.parts import find_parts
from edge_client.vision.ruling import erase, find_ruling, raise_needed
from edge_client.vision.scale import to_working_size
from edge_client.vision.threshold import needed_darkness, noise_floor
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
        grey = cv2.GaussianBlur(grey, (3, 3), 0)
    trace.show("grey", lambda: grey)
    with trace.step("light"):
        half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        reach = reach_of(grey) // 2
        paper = paper_level(half, reach=reach)
        dark = cv2.subtract(paper, half)
    trace.show("light", lambda: 255 - dark)
    floor = noise_floor(dark)
    with trace.step("ruling"):
        rulings, darkness = find_ruling(dark, grey=grey, paper=paper, floor=floor)
    with trace.step("ink"):
        needed = needed_darkness(dark, floor=floor, reach=reach)
        needed = raise_needed(needed, rulings, paper=paper, ink=darkness)
        limit = cv2.resize(cv2.subtract(paper, needed), (grey.shape[1], grey.shape[0]))
        ink = cv2.compare(grey, limit, cv2.CMP_LT)
        ink = erase(ink, rulings, darkness=darkness)
    trace.show("ink", lambda: 255 - ink)
    with trace.step("parts"):
        parts, ink_width = find_parts(ink)
    return InkPage(parts, grey.shape[1], grey.shape[0], ink_width, to_picture)


def _check(picture: Picture) -> None:
    shape = picture.shape
    usable = picture.ndim == 2 or (picture.ndim == 3 and shape[2] == 3)
    if not usable or picture.dtype != np.uint8 or picture.size == 0:
        raise DataError(f"expected a picture of shape (h, w) or (h, w, 3) and uint8, got {shape} {picture.dtype}")
