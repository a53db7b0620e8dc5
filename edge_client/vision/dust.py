"""Marks that no pen made: dust, and what the edges of the picture leave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.histogram import quantiles
from edge_client.vision.ink import InkPart
from edge_client.vision.trace import Picture

_DOT = 0.35  # of the square of the ink's width: the least area of a dot that a pen makes
_SMALL = 2.5  # times the ink's width: what is no longer must be dark to be ink
_SHORT = 0.5  # of the size of the larger parts: likewise
_LARGEST = 12  # parts
_DARK = 0.4  # of the darkness of the ink
_SOLID = 0.35  # of its box: the corner of a dark area fills at least so much
_FADING = 0.4  # of a part's darkness: ink has an edge
_EVEN = 0.85  # of the brightest paper beside a part: all of it
_BLACK = 0.45  # of its paper's grey: the darkness of ink whose like beyond it would be ink, too
_CLEAN = 0.2  # of the darkness of ink: what is beside it on average; then half of that place has less than two fifths
_ITS_OWN = 0.3  # of its paper's grey: what is darker is ink
_CORNER = 0.3  # of a part's surroundings
_FAT = 2.0  # times the ink's width
_ALONG_EDGE = 0.25  # of the length of an edge of the picture: ink does not follow the edge for so long
_AT_EDGE = 0.012  # of the shorter side of the picture
_TIGHT = 0.04  # of the page: with more ink than this at its edges only, the picture is cut out around its ink
_SOFT_AT_EDGE = 0.6  # of the darkness of the ink: what is fainter at the edge is the end of a shadow


def without_dust(
    parts: Sequence[InkPart],
    *,
    dark: Picture,
    paper: Picture,
    ink: float,
    ink_width: float,
    shape: tuple[int, ...],
    beyond: NDArray[np.bool_] | None = None,
) -> list[InkPart]:
    """Return the parts that a pen made.

    Args:
        parts: of the page, the largest first.
        dark: how much darker than its paper every pixel is, ``(h // 2, w // 2) uint8``.
        paper: the grey of the paper, likewise.
        ink: the darkness of the ink, as a share of the paper's grey.
        ink_width: in pixels.
        shape: ``(h, w)`` of the page.
        beyond: what is not sheet, ``(h // 2, w // 2) bool``; nothing where all is. Writing keeps clear of its edge.
    """
    kept = []
    sizes = sorted(max(part.width, part.height) for part in parts[:_LARGEST])
    short = max(_SMALL * ink_width, _SHORT * sizes[len(sizes) // 2]) if sizes else 0.0
    for part in parts:
        area = part.area
        if area < _DOT * ink_width**2:
            continue
        at_edge = part.x == 0 or part.y == 0 or part.right == shape[1] or part.bottom == shape[0]
        small = max(part.width, part.height) < short
        if beyond is not None and (at_edge or _reaches(part, beyond)):
            continue
        if small or at_edge:
            darkness = _darkness(part, dark=dark, paper=paper)
            if small and darkness < _DARK * ink:
                continue
            if at_edge and darkness < _SOFT_AT_EDGE * ink:
                continue
        fat = area > _SOLID * part.width * part.height and min(part.width, part.height) > _FAT * ink_width
        if (at_edge or fat) and _is_corner(part, dark=dark, paper=paper):
            continue
        kept.append(part)
    inner = [part for part in kept if not _follows_edge(part, shape=shape)]
    if inner or sum(part.area for part in kept) < _TIGHT * shape[0] * shape[1]:
        return inner
    return kept


def _reaches(part: InkPart, beyond: NDArray[np.bool_]) -> bool:
    import cv2

    left, top = max(0, part.x // 2 - 1), max(0, part.y // 2 - 1)
    place = beyond[top : part.bottom // 2 + 2, left : part.right // 2 + 2]
    if not place.any():
        return False
    framed = np.zeros((2 * place.shape[0], 2 * place.shape[1]), np.uint8)
    mask = framed[part.y - 2 * top : part.bottom - 2 * top, part.x - 2 * left : part.right - 2 * left]
    mask[:] = part.mask[: mask.shape[0], : mask.shape[1]]
    around = cv2.dilate(framed, np.ones((5, 5), np.uint8))[::2, ::2]
    return bool((place & (around > 0)).any())


def _darkness(part: InkPart, *, dark: Picture, paper: Picture) -> float:
    place = (
        slice(part.y // 2, max(part.y // 2 + 1, part.bottom // 2)),
        slice(part.x // 2, max(part.x // 2 + 1, part.right // 2)),
    )
    if not dark[place].size:
        return 1.0
    shares = dark[place].astype(np.float32) / np.maximum(paper[place], 1)
    return float(shares.max())


def _is_corner(part: InkPart, *, dark: Picture, paper: Picture) -> bool:
    """Say whether a part is the corner of a larger dark area, such as a shadow.

    Beyond a side of its own it is as dark, or it has no edge and fades.
    """
    import cv2

    around = 3
    left, top = max(0, part.x // 2 - around), max(0, part.y // 2 - around)
    right, bottom = min(dark.shape[1], part.right // 2 + around + 1), min(dark.shape[0], part.bottom // 2 + around + 1)
    ink = np.zeros((bottom - top, right - left), np.uint8)
    mask = part.mask[part.y % 2 :: 2, part.x % 2 :: 2]
    y, x = (part.y + 1) // 2 - top, (part.x + 1) // 2 - left
    place = ink[y : y + mask.shape[0], x : x + mask.shape[1]]
    place[:] = mask[: place.shape[0], : place.shape[1]]
    if not ink.any():
        return False
    white, darker = paper[top:bottom, left:right], dark[top:bottom, left:right]
    wide = cv2.dilate(ink, np.ones((2 * around + 1, 2 * around + 1), np.uint8))
    ring = cv2.subtract(wide, cv2.dilate(ink, np.ones((3, 3), np.uint8)))
    total = cv2.countNonZero(ring)
    if not total:
        return False
    lightest = float(white.max())
    own, beside = cv2.mean(darker, ink)[0], cv2.mean(darker, ring)[0]
    if white.min() > _EVEN * lightest and own > _BLACK * lightest and beside < _CLEAN * own:
        return False  # plainly ink on even paper, as most is: the looks below take longer
    if quantiles(darker, 0.5, where=ring)[0] > _FADING * quantiles(darker, 0.5, where=ink)[0]:
        return True
    # a stroke that runs into a shadow is darker there than the shadow: its darker end counts
    grey = cv2.subtract(white, darker)
    darkest, brightest = quantiles(grey, 0.2, where=ink)[0], quantiles(grey, 0.9, where=ring)[0]
    between = darkest + 0.3 * (brightest - darkest)
    # other ink nearby is dark too, but stands out from its own paper
    as_dark = cv2.bitwise_and(cv2.compare(grey, between, cv2.CMP_LT), ring)
    if cv2.countNonZero(as_dark) <= _CORNER * total:
        return False
    faint = cv2.compare(darker, cv2.convertScaleAbs(white, alpha=_ITS_OWN), cv2.CMP_LT)
    return cv2.countNonZero(cv2.bitwise_and(as_dark, faint)) > _CORNER * total


def _follows_edge(part: InkPart, *, shape: tuple[int, ...]) -> bool:
    """Say whether a part lies along an edge of the picture: of a scanner's lid, of a page, of a frame."""
    height, width = shape[:2]
    near = max(2.0, _AT_EDGE * min(height, width))
    if part.right <= near or part.x >= width - near or part.bottom <= near or part.y >= height - near:
        return True
    if part.x and part.y and part.bottom < height and part.right < width:
        return False
    mask = part.mask
    touching = (
        (part.y == 0, mask[0], width),
        (part.bottom == height, mask[-1], width),
        (part.x == 0, mask[:, 0], height),
        (part.right == width, mask[:, -1], height),
    )
    return any(touches and np.count_nonzero(edge) > _ALONG_EDGE * side for touches, edge, side in touching)
