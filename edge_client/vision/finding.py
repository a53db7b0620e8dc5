"""The whole of vision: from a picture to the ink on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.colour import clearest_channel
from edge_client.vision.dust import without_dust
from edge_client.vision.erasing import erase, raise_needed
from edge_client.vision.grey import is_light_on_dark, to_grey
from edge_client.vision.ink import InkPage, InkPart
from edge_client.vision.light import paper_level, reach_of
from edge_client.vision.parts import connected_parts, line_width
from edge_client.vision.ruling import find_ruling, measured_again
from edge_client.vision.scale import to_working_size
from edge_client.vision.sheet import find_sheet
from edge_client.vision.skew import turned, turned_by, upright
from edge_client.vision.threshold import needed_darkness, noise_floor
from edge_client.vision.trace import Picture, Trace
from shared.errors import DataError

_AROUND = 4  # pixels of half the page around what may be ink
_LEAST_SIDE_PX = 8  # a picture with a shorter side has no room for writing


def find_ink(picture: Picture, *, trace: Trace | None = None) -> InkPage:
    """Find the ink of a picture.

    Args:
        picture: ``(h, w)`` grey or ``(h, w, 3)`` BGR, uint8.
        trace: is told of every step.

    Returns:
        the page and its ink; no part where nothing is written. What is not writing but was drawn with a pen is ink too.

    Raises:
        DataError: the picture has another shape or type.
    """
    import cv2

    _check(picture)
    trace = Trace() if trace is None else trace
    with trace.step("size"):
        page, to_picture = to_working_size(picture)
    trace.show("size", lambda: page)
    if min(page.shape[:2]) < _LEAST_SIDE_PX:
        return InkPage((), page.shape[1], page.shape[0], 0.0, to_picture)
    with trace.step("sheet"):
        reach = reach_of(page, enlarged=max(1.0, page.shape[1] / picture.shape[1]))
        sheet = find_sheet(page, reach=reach)
        if sheet is not None:
            page, sheet, to_picture = _cut(page, sheet, to_picture)
    trace.show("sheet", lambda: _masked(page, sheet))
    with trace.step("grey"):
        grey, half = _greys(page)
    trace.show("grey", lambda: grey)
    with trace.step("light"):
        beyond = None if sheet is None else _beyond(sheet, shape=half.shape)
        reach //= 2
        paper, dark = _evened(half, beyond, reach=reach)
    with trace.step("ruling"):
        floor = noise_floor(dark, beyond=beyond)
        ruled = find_ruling(dark, grey=grey, paper=paper, floor=floor)
        channel = clearest_channel(page, ruled, dark, paper=paper)
        if channel is not None:
            grey, half = _greys(np.ascontiguousarray(page[:, :, channel]))
            paper, dark = _evened(half, beyond, reach=reach)
            floor = noise_floor(dark, beyond=beyond)
            ruled = measured_again(ruled, dark, grey=grey, paper=paper)
    trace.show("light", lambda: 255 - dark)
    with trace.step("ink"):
        needed = needed_darkness(dark, paper=paper, floor=floor, ink=ruled.ink, reach=reach)
        needed = raise_needed(needed, ruled, paper=paper)
        if beyond is not None:
            needed[beyond] = 255
        limit = cv2.subtract(paper, needed)
        ink = _darker_than(limit, grey=grey, place=_where_ink_may_be(dark, needed))
    trace.show("ink", lambda: 255 - ink)
    with trace.step("lines"):
        ink = erase(ink, ruled)
    trace.show("lines", lambda: 255 - ink)
    with trace.step("parts"):
        parts = connected_parts(ink)
        ink_width = line_width(parts)
        kept = without_dust(
            parts, dark=dark, paper=paper, ink=ruled.ink, ink_width=ink_width, shape=grey.shape, beyond=beyond
        )
        if len(kept) < len(parts):
            parts, ink_width = kept, line_width(kept)
    width, height = grey.shape[1], grey.shape[0]
    with trace.step("skew"):
        degrees = turned_by(parts, ruled, ink_width=ink_width)
        if degrees:
            turn, width, height = upright(degrees=degrees, width=width, height=height)
            soft = _soft(parts, grey=grey, limit=limit)
            ink = cv2.compare(turned(soft, turn, width=width, height=height), 128, cv2.CMP_GT)
            parts = connected_parts(ink)
            to_picture = to_picture @ np.linalg.inv(turn)
    trace.show("skew", lambda: 255 - ink)
    parts.sort(key=lambda part: (part.x, part.y))
    return InkPage(tuple(parts), width, height, ink_width, to_picture)


def _where_ink_may_be(dark: Picture, needed: Picture) -> tuple[int, int, int, int]:
    """Return the box, ``(x, y, w, h)``, of all that is at least half as dark as ink must be."""
    import cv2

    x, y, width, height = cv2.boundingRect(cv2.compare(dark, cv2.convertScaleAbs(needed, alpha=0.5), cv2.CMP_GE))
    left, top = max(0, x - _AROUND), max(0, y - _AROUND)
    right, bottom = min(dark.shape[1], x + width + _AROUND), min(dark.shape[0], y + height + _AROUND)
    return (left, top, right - left, bottom - top) if width else (0, 0, 0, 0)


def _darker_than(limit: Picture, *, grey: Picture, place: tuple[int, int, int, int]) -> Picture:
    """Return where a page is darker than a limit that is known at half its size, within a box of the same size."""
    import cv2

    ink = np.zeros_like(grey)
    x, y, width, height = place
    if width:
        right = grey.shape[1] if x + width == limit.shape[1] else 2 * (x + width)
        bottom = grey.shape[0] if y + height == limit.shape[0] else 2 * (y + height)
        seen = grey[2 * y : bottom, 2 * x : right]
        large = cv2.resize(limit[y : y + height, x : x + width], (seen.shape[1], seen.shape[0]))
        cv2.compare(seen, large, cv2.CMP_LT, dst=ink[2 * y : bottom, 2 * x : right])
    return ink


def _soft(parts: Sequence[InkPart], *, grey: Picture, limit: Picture) -> Picture:
    """Return how much darker than the limit the ink of parts is, more than 128, and nothing where there is no ink."""
    import cv2

    ink = np.zeros_like(grey)
    for part in parts:
        place = ink[part.y : part.bottom, part.x : part.right]
        np.maximum(place, part.mask, out=place)
    around = cv2.dilate(ink, np.ones((3, 3), np.uint8))
    limit = cv2.resize(limit, (grey.shape[1], grey.shape[0]))
    result: Picture = cv2.bitwise_and(cv2.addWeighted(limit, 0.5, grey, -0.5, 128), around)
    return result


def _greys(page: Picture) -> tuple[Picture, Picture]:
    """Return the page in grey with ink darker than paper, at its own size and at half of it."""
    import cv2

    grey = to_grey(page)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    if is_light_on_dark(half):
        return cv2.bitwise_not(grey), cv2.bitwise_not(half)
    return grey, half


def _evened(half: Picture, beyond: NDArray[np.bool_] | None, *, reach: int) -> tuple[Picture, Picture]:
    """Return the grey of the paper, and how much darker than it every pixel is: not at all beyond the sheet."""
    import cv2

    paper = paper_level(half, reach=reach)
    dark = cv2.subtract(paper, half)
    if beyond is not None:
        dark[beyond] = 0
    return paper, dark


def _check(picture: Picture) -> None:
    shape = picture.shape
    usable = picture.ndim == 2 or (picture.ndim == 3 and shape[2] == 3)
    if not usable or picture.dtype != np.uint8 or picture.size == 0:
        raise DataError(f"expected a picture of shape (h, w) or (h, w, 3) and uint8, got {shape} {picture.dtype}")


def _cut(
    page: Picture, sheet: Picture, to_picture: NDArray[np.float64]
) -> tuple[Picture, Picture, NDArray[np.float64]]:
    """Cut the page to the box of the sheet."""
    import cv2

    x, y, width, height = cv2.boundingRect(sheet)
    across, down = page.shape[1] / sheet.shape[1], page.shape[0] / sheet.shape[0]
    left, top = int(x * across), int(y * down)
    right, bottom = min(page.shape[1], int((x + width) * across) + 1), min(page.shape[0], int((y + height) * down) + 1)
    moved = to_picture @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
    return np.ascontiguousarray(page[top:bottom, left:right]), sheet[y : y + height, x : x + width], moved


def _beyond(sheet: Picture, *, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return what is not sheet, nor further than a pixel of the small sheet inside it: its edge is not ink."""
    import cv2

    framed = cv2.copyMakeBorder(sheet, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inner = cv2.erode(framed, np.ones((5, 5), np.uint8))[1:-1, 1:-1]
    large = cv2.resize(inner, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    beyond: NDArray[np.bool_] = large < 128
    return beyond


def _masked(page: Picture, sheet: Picture | None) -> Picture:
    if sheet is None:
        return page
    beyond = _beyond(sheet, shape=page.shape[:2])
    shown = page.copy()
    shown[beyond] = 0
    return shown
