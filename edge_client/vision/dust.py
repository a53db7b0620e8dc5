"""Marks that no pen made: dust, and what the edges of the picture leave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_client.vision.ink import InkPart
from edge_client.vision.trace import Picture

_DOT = 0.35  # of the square of the ink's width: the least area of a dot that a pen makes
_SMALL = 6.0  # of the square of the ink's width: what has less area must be dark to be ink
_DARK = 0.4  # of the darkness of the ink
_ALONG_EDGE = 0.25  # of the length of an edge of the picture: ink does not follow the edge for so long
_AT_EDGE = 0.012  # of the shorter side of the picture
_SOFT_AT_EDGE = 0.6  # of the darkness of the ink: what is fainter at the edge is the end of a shadow


def without_dust(
    parts: Sequence[InkPart], *, dark: Picture, paper: Picture, ink: float, ink_width: float, shape: tuple[int, ...]
) -> list[InkPart]:
    """Return the parts that a pen made.

    Args:
        parts: of the page.
        dark: how much darker than its paper every pixel is, ``(h // 2, w // 2) uint8``.
        paper: the grey of the paper, likewise.
        ink: the darkness of the ink, as a share of the paper's grey.
        ink_width: in pixels.
        shape: ``(h, w)`` of the page.
    """
    kept = []
    for part in parts:
        area = part.area
        if area < _DOT * ink_width**2:
            continue
        at_edge = part.x == 0 or part.y == 0 or part.right == shape[1] or part.bottom == shape[0]
        small = area < _SMALL * ink_width**2
        if small or at_edge:
            darkness = _darkness(part, dark=dark, paper=paper)
            if small and darkness < _DARK * ink:
                continue
            if at_edge and darkness < _SOFT_AT_EDGE * ink:
                continue
        kept.append(part)
    inner = [part for part in kept if not _follows_edge(part, shape=shape)]
    # a picture that is cut out around its ink has nothing else
    return inner or kept


def _darkness(part: InkPart, *, dark: Picture, paper: Picture) -> float:
    place = slice(part.y // 2, max(part.y // 2 + 1, part.bottom // 2)), slice(part.x // 2, max(part.x // 2 + 1, part.right // 2))
    if not dark[place].size:
        return 1.0
    shares = dark[place].astype(np.float32) / np.maximum(paper[place], 1)
    return float(shares.max())


def _follows_edge(part: InkPart, *, shape: tuple[int, ...]) -> bool:
    """Say whether a part lies along an edge of the picture: of a scanner's lid, of a page, of a frame."""
    height, width = shape[:2]
    near = max(2.0, _AT_EDGE * min(height, width))
    if part.right <= near or part.x >= width - near or part.bottom <= near or part.y >= height - near:
        return True
    mask = part.mask
    touching = (
        (part.y == 0, np.count_nonzero(mask[0]), width),
        (part.bottom == height, np.count_nonzero(mask[-1]), width),
        (part.x == 0, np.count_nonzero(mask[:, 0]), height),
        (part.right == width, np.count_nonzero(mask[:, -1]), height),
    )
    return any(touches and length > _ALONG_EDGE * side for touches, length, side in touching)
