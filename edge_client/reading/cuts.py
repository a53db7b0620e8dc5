"""Ink in which symbols touch: taken apart at the junctions of its middle line, in every way that makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ink import InkPart
from shared.thinning import WIDEST, thin

_MOST_PIECES = 9
_SHORT = 0.22  # em of middle line: shorter ends are no pieces of their own
_LONG = 0.7  # em of middle line: such a stretch may be the end of one symbol and the beginning of the next
_TURN = 0.5  # the cosine of a turn at which one stroke may end and another begin
_CORNERS = 2  # of one stretch
_SMALLEST = 0.3  # em of the longer side of what is cut off

_REACH = 0.16  # em along the line on either side of a corner
_Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Cutting:
    """A connected component, cut into pieces that are not cut any further.

    Attributes:
        pieces: of ink; together they are the component.
        groups: sets of pieces (bit sets over their indices) that may be a symbol, without the component itself.
    """

    pieces: tuple[InkPart, ...]
    groups: tuple[int, ...]


def cut(ink: InkPart, *, em: float) -> Cutting | None:
    """Cut a component at the junctions of its middle line; None where there are none.

    Args:
        ink: one connected component.
        em: about how high digits are, in pixels.
    """
    import cv2

    scale = min(1.0, (WIDEST - 2) / max(ink.width, ink.height))
    size = (max(1, round(ink.width * scale)), max(1, round(ink.height * scale)))
    small = ink.mask if scale == 1.0 else cv2.resize(ink.mask, size, interpolation=cv2.INTER_AREA)
    line = np.pad(thin((small > 100).astype(np.uint8)[np.newaxis])[0], 1)
    around = cv2.filter2D(line, cv2.CV_8U, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT)
    junctions = ((line > 0) & (around >= 4)).astype(np.uint8)
    if not junctions.any():
        return None
    junctions = cv2.dilate(junctions, np.ones((3, 3), np.uint8))
    bare = line & ~junctions
    for y, x in _corners(bare, em=em * scale):
        junctions[y - 1 : y + 2, x - 1 : x + 2] = 1
    count, edges = _edges(line & ~junctions, shortest=_SHORT * em * scale)
    if not 2 <= count <= _MOST_PIECES:
        return None
    touching = _touching(edges, junctions, count)
    labels = _nearest(edges)[1:-1, 1:-1]
    full = cv2.resize(labels.astype(np.uint8), (ink.width, ink.height), interpolation=cv2.INTER_NEAREST)
    pieces = [_piece(ink, full == number) for number in range(1, count + 1)]
    if any(piece is None for piece in pieces):
        return None
    made = tuple(piece for piece in pieces if piece is not None)
    return Cutting(made, _groups(made, touching, smallest=_SMALLEST * em))


def _corners(line: NDArray[np.uint8], *, em: float) -> list[tuple[int, int]]:
    """Return the sharpest corners, ``(row, column)``, of each long stretch that turns sharply."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(line, connectivity=8, ltype=cv2.CV_32S)
    reach = max(2, round(_REACH * em))
    corners = []
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] < _LONG * em:
            continue
        path = _walked(np.argwhere(labels == i))
        if len(path) <= 2 * reach + 2:
            continue
        before = (path[reach:-reach] - path[: -2 * reach]).astype(np.float64)
        after = (path[2 * reach :] - path[reach:-reach]).astype(np.float64)
        norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
        cosines = (before * after).sum(axis=1) / np.maximum(norms, 1e-9)
        for _ in range(_CORNERS):
            sharpest = int(np.argmin(cosines))
            if cosines[sharpest] >= _TURN:
                break
            y, x = path[reach + sharpest]
            corners.append((int(y), int(x)))
            cosines[max(0, sharpest - 2 * reach) : sharpest + 2 * reach + 1] = 1.0
    return corners


def _walked(points: NDArray[np.intp]) -> NDArray[np.intp]:
    """Order the pixels of a thin line from one end to the other."""
    rest = {(int(y), int(x)) for y, x in points}

    def near(y: int, x: int) -> list[tuple[int, int]]:
        # Straight neighbours first, so that no pixel of a step is left behind.
        steps = ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1))
        return [(y + dy, x + dx) for dy, dx in steps if (y + dy, x + dx) in rest]

    at = min(rest, key=lambda point: len(near(*point)))
    path = [at]
    while True:
        rest.discard(at)
        following = near(*at)
        if not following:
            return np.array(path, np.intp)
        at = following[0]
        path.append(at)


def _edges(line: NDArray[np.uint8], *, shortest: float) -> tuple[int, _Labels]:
    """Number the stretches of the middle line between junctions from 1; short ones are left out."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(line, connectivity=8, ltype=cv2.CV_32S)
    numbers = np.zeros(count, np.int32)
    long = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= max(2.0, shortest)]
    long.sort(key=lambda i: -stats[i, cv2.CC_STAT_AREA])
    for number, i in enumerate(long[:_MOST_PIECES], 1):
        numbers[i] = number
    edges: _Labels = numbers[labels]
    return min(len(long), _MOST_PIECES), edges


def _touching(edges: _Labels, junctions: NDArray[np.uint8], count: int) -> list[int]:
    """Return for each edge the set of those that meet it."""
    import cv2

    touching = [0] * count
    clusters, labels = cv2.connectedComponents(cv2.dilate(junctions, np.ones((3, 3), np.uint8)), connectivity=8)
    for cluster in range(1, clusters):
        met = [int(i) - 1 for i in np.unique(edges[labels == cluster]) if i]
        for i in met:
            for j in met:
                if i != j:
                    touching[i] |= 1 << j
    return touching


def _nearest(edges: _Labels) -> _Labels:
    """Give every pixel the number of the edge that is nearest to it."""
    import cv2

    away = (edges == 0).astype(np.uint8)
    _, zones = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    numbers = np.zeros(int(zones.max()) + 1, np.int32)
    numbers[zones[away == 0]] = edges[away == 0]
    nearest: _Labels = numbers[zones]
    return nearest


def _piece(ink: InkPart, where: NDArray[np.bool_]) -> InkPart | None:
    mask = np.where(where, ink.mask, 0).astype(np.uint8)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    top, left = int(rows[0]), int(columns[0])
    crop = np.ascontiguousarray(mask[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1])
    return InkPart(crop, ink.x + left, ink.y + top)


def _groups(pieces: Sequence[InkPart], touching: Sequence[int], *, smallest: float) -> tuple[int, ...]:
    """List the sets of pieces that may be a symbol: that follow on each other, and leave nothing too small behind."""
    count = len(pieces)
    every = (1 << count) - 1
    order = sorted(range(count), key=lambda i: pieces[i].x + pieces[i].width / 2)
    sets = {sum(1 << i for i in order[start:end]) for start in range(count) for end in range(start + 1, count + 1)}
    sets.discard(every)
    found = []
    for bits in sorted(sets):
        parts = (bits, *_components(every & ~bits, touching))
        if all(_extent(pieces, part) >= smallest for part in parts):
            found.append(bits)
    return tuple(found)


def _components(bits: int, touching: Sequence[int]) -> list[int]:
    components = []
    while bits:
        grown = bits & -bits
        while True:
            more = grown
            for i in range(len(touching)):
                if grown >> i & 1:
                    more |= touching[i] & bits
            if more == grown:
                break
            grown = more
        components.append(grown)
        bits &= ~grown
    return components


def _extent(pieces: Sequence[InkPart], bits: int) -> int:
    chosen = [piece for i, piece in enumerate(pieces) if bits >> i & 1]
    width = max(piece.right for piece in chosen) - min(piece.x for piece in chosen)
    height = max(piece.bottom for piece in chosen) - min(piece.y for piece in chosen)
    return max(width, height)
