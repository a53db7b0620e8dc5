"""The lines of a page: neighbours that are level are on one line, and what stands over something else is not.

Every piece is joined to its neighbours, the closest first, unless that brought together what is stacked with free paper
between. So lines are followed as they are written, rising, falling or of different lengths. A fraction is one block,
however high. What is only raised, with nothing of the lower line under it, is a superscript of that line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.bars import freed
from edge_client.reading.stacks import Block, blocks
from edge_client.vision.ink import InkPart

_FREE = 0.12  # em of free paper between what is stacked: less is within a symbol
_OVER = 0.5  # of the narrower one that lies over or under the other
_CLOSE = 0.45  # em between a base and a superscript that stands over the end of it
_LEVEL = 0.5  # of the lower one's height that level neighbours share
_BAND = 0.5  # em over and under its bar in which a fraction's neighbours lie
_STROKE = 0.3  # em over and under a stroke, likewise
_ASKEW = 1.5  # em of free paper that a neighbour may be further away, for sharing all of the height
_BASE = 0.8  # em, across and up, from a base to a superscript
_INDENT = 0.2  # of the width of its base: a superscript begins no further left
_DIVIDED, _DIVIDED_OF_BAR = 1.6, 0.3  # em, and times the bar's width, between a bar and what it divides
_BAR = 0.75  # em: no shorter bar is looked for in a piece of ink
_WIDER = 1.8  # times what it divides: a bar that touches something is so wide, flat strokes of digits are not
_SLIGHT = 0.35  # em: smaller ink is dots, which part no lines
_ALIKE = 1.4  # times the height: two that are as high as each other lie on a line at the same level
_FROM, _TO = 1.5, 6.0  # em between neighbours that show a slope
_PAIRS = 12  # of neighbours, at least, before a slope is believed
_STEEPEST = 0.2  # rows to a column

_Matrix = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def lines(inks: Sequence[InkPart], *, em: float) -> list[list[int]]:
    """Sort ink into lines, from top to bottom.

    Args:
        inks: connected components.
        em: about how high digits are, in pixels.

    Returns:
        for each line, the indices of its ink.
    """
    every = blocks(inks, em=em)
    slope = _slope(every, em=em)
    for block in every:
        drop = slope * block.centre
        block.top -= drop
        block.bottom -= drop
        block.axis -= drop
    large: list[Block] = []
    slight: list[Block] = []
    for block in every:
        (large if max(block.width, block.height) > _SLIGHT * em else slight).append(block)
    if not large:
        return [sorted(range(len(inks)))] if inks else []
    found = _touching_bars_joined(_sorted_out(large, em=em), inks, em=em)
    members = [[i for block in group for i in block.members] for group in found]
    for block in slight:
        nearest = min(range(len(found)), key=lambda k: min(_away(block, other) for other in found[k]))
        members[nearest].extend(block.members)
    order = sorted(range(len(found)), key=lambda k: float(np.median([block.axis for block in found[k]])))
    return [sorted(members[k]) for k in order]


def _slope(every: Sequence[Block], *, em: float) -> float:
    """Return how the lines fall, in rows to a column: the median over pairs of neighbours a few em apart."""
    place = [(block.centre, block.middle, block.top, block.bottom) for block in every if not block.fraction]
    if len(place) < 2:
        return 0.0
    centre, middle, top, bottom = np.array(sorted(place)).T
    height = bottom - top
    across = centre - centre[:, None]
    together = np.minimum(bottom, bottom[:, None]) - np.maximum(top, top[:, None])
    lower, higher = np.minimum(height, height[:, None]), np.maximum(height, height[:, None])
    near = (across > _FROM * em) & (across < _TO * em)
    i, j = np.nonzero(near & (higher < _ALIKE * lower) & (together > _LEVEL * lower))
    slopes = (middle[j] - middle[i]) / (centre[j] - centre[i])
    slope = float(np.median(slopes)) if len(slopes) >= _PAIRS else 0.0
    return slope if abs(slope) < _STEEPEST else 0.0


class _Groups:
    """Blocks joined to groups, none of which holds two that are stacked."""

    def __init__(self, stacked: _Flags, left: Sequence[float]) -> None:
        self._left = list(left)
        self._group = list(range(len(stacked)))
        self._members = [1 << i for i in range(len(stacked))]
        packed = np.packbits(stacked, axis=1, bitorder="little")
        self._barred = [int.from_bytes(row.tobytes(), "little") for row in packed]
        self._count = len(stacked)

    def __len__(self) -> int:
        """How many groups there are."""
        return self._count

    def join(self, pairs: Iterable[tuple[int, int]], *, begins: Sequence[float] = ()) -> None:
        """Join the groups of every pair, in this order, where nothing is stacked.

        Args:
            pairs: of blocks.
            begins: if given, the group of the second one of a pair must have nothing left of this column of the first.
        """
        for i, j in pairs:
            if len(self) == 1:
                return
            a, b = self._of(i), self._of(j)
            if a == b or self._members[a] & self._barred[b] or (begins and self._left[b] < begins[i]):
                continue
            self.merge(a, b)

    def merge(self, a: int, b: int) -> None:
        a, b = self._of(a), self._of(b)
        if a != b:
            self._group[b] = a
            self._count -= 1
            self._left[a] = min(self._left[a], self._left[b])
            self._members[a] |= self._members[b]
            self._barred[a] |= self._barred[b]

    def all(self) -> list[list[int]]:
        """The members of every group."""
        groups: dict[int, list[int]] = {}
        for i in range(len(self._group)):
            groups.setdefault(self._of(i), []).append(i)
        return list(groups.values())

    def _of(self, i: int) -> int:
        while self._group[i] != i:
            self._group[i] = self._group[self._group[i]]
            i = self._group[i]
        return i


def _sorted_out(large: list[Block], *, em: float) -> list[list[Block]]:
    place = np.array([(block.left, block.top, block.right, block.bottom) for block in large]).T
    left, _, right, _ = place
    shared = np.minimum(right, right[:, None]) - np.maximum(left, left[:, None])
    groups = _Groups(_stacked(place, shared, em=em), left.tolist())
    groups.join(_level([_band(block, em=em) for block in large], -shared, em=em))
    if len(groups) == 1:
        return [large]
    groups.join(_raised(place, em=em), begins=[block.left + _INDENT * block.width for block in large])
    groups.join(_level([(block.top, block.bottom) for block in large], -shared, em=em))
    for bar, divided in _divided(large, place, groups.all(), em=em):
        groups.merge(bar, divided)
    return [[large[i] for i in group] for group in groups.all()]


def _stacked(place: _Matrix, shared: _Matrix, *, em: float) -> _Flags:
    """Say of every pair whether one stands over the other with free paper between, not as a superscript does."""
    left, top, right, bottom = place
    width, centre = right - left, (left + right) / 2
    free = top[None, :] - bottom[:, None]  # [upper, lower]
    over = (free > _FREE * em) & (shared > _OVER * np.minimum(width, width[:, None]))
    at_end = (left[:, None] > centre[None, :]) | (right[:, None] < centre[None, :])
    over &= ~(at_end & (free < _CLOSE * em))
    flags: _Flags = over | over.T
    return flags


def _level(bands: Sequence[tuple[float, float]], gap: _Matrix, *, em: float) -> list[tuple[int, int]]:
    """Return the pairs of neighbours on a level, the closest first."""
    top, bottom = np.array(bands).T
    together = np.minimum(bottom, bottom[:, None]) - np.maximum(top, top[:, None])
    share = together / np.minimum(np.maximum(bottom - top, 1), np.maximum(bottom - top, 1)[:, None])
    cost = np.maximum(gap, 0) / em + _ASKEW * (1 - np.minimum(share, 1))
    i, j = np.nonzero(np.triu(share > _LEVEL, 1))
    order = np.argsort(cost[i, j], kind="stable")
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def _band(block: Block, *, em: float) -> tuple[float, float]:
    """Return the rows in which neighbours of a block lie."""
    if block.fraction:
        return block.axis - _BAND * em, block.axis + _BAND * em
    least = _STROKE * em
    return min(block.top, block.axis - least), max(block.bottom, block.axis + least)


def _raised(place: _Matrix, *, em: float) -> list[tuple[int, int]]:
    """Return the pairs of a base and what may be raised from it, the closest first."""
    left, top, right, bottom = place
    centre, middle = (left + right) / 2, (top + bottom) / 2
    up = top[:, None] - bottom[None, :]  # [base, raised]
    across = left[None, :] - right[:, None]
    may = (
        (centre[None, :] > centre[:, None])
        & (across < _BASE * em)
        & (up < _BASE * em)
        & (middle[None, :] < top[:, None] + 0.3 * (bottom - top)[:, None])
    )
    cost = np.maximum(across, 0) + 2 * np.maximum(up, 0)
    i, j = np.nonzero(may)
    order = np.argsort(cost[i, j], kind="stable")
    return list(zip(i[order].tolist(), j[order].tolist(), strict=True))


def _divided(large: list[Block], place: _Matrix, groups: list[list[int]], *, em: float) -> list[tuple[int, int]]:
    """Return the pairs of a bar and what it divides, where no more lies over and under it than what is within its ends.

    Such a bar is further away from what it divides than others are.
    """
    group_of = {i: number for number, group in enumerate(groups) for i in group}
    ends = [(min(large[i].centre for i in group), max(large[i].centre for i in group)) for group in groups]
    left, top, right, bottom = place
    centre, middle = (left + right) / 2, (top + bottom) / 2
    found = []
    for k, bar in enumerate(large):
        if not bar.flat:
            continue
        far = max(_DIVIDED * em, _DIVIDED_OF_BAR * bar.width)
        inside = (bar.left < centre) & (centre < bar.right)
        inside[k] = False
        nearest = []
        for side, away in ((middle <= bar.middle, bar.top - bottom), (middle > bar.middle, top - bar.bottom)):
            near = np.flatnonzero(inside & side & (away < far))
            if near.size:
                nearest.append(int(near[np.argmin(away[near])]))
        own = group_of[k]
        within = [
            group_of[i] == own
            or (bar.left - 0.5 * em < ends[group_of[i]][0] and ends[group_of[i]][1] < bar.right + 0.5 * em)
            for i in nearest
        ]
        if len(nearest) == 2 and all(within):
            found += [(k, i) for i in nearest]
    return found


def _touching_bars_joined(found: list[list[Block]], inks: Sequence[InkPart], *, em: float) -> list[list[Block]]:
    """Join what lies over or under a bar that is one piece of ink with what is on its other side."""
    for group in found:
        for block in group:
            if len(block.members) > 1 or block.flat or block.width < max(_BAR * em, block.height):
                continue
            for other in found:
                if other is group or not other or not _inside(other, block, em=em):
                    continue
                members = [*block.members, *(i for one in other for i in one.members)]
                if freed([inks[i] for i in members], em=em, ink_width=_ink_width(inks[block.members[0]])) is not None:
                    group.extend(other)
                    other.clear()
                    break
    return [group for group in found if group]


def _inside(group: Sequence[Block], block: Block, *, em: float) -> bool:
    """Say whether a group lies within the ends of a block and close to it."""
    away = min(max(one.top - block.bottom, block.top - one.bottom) for one in group)
    width = max(one.right for one in group) - min(one.left for one in group)
    within = all(block.left < one.centre < block.right for one in group)
    return within and away < _DIVIDED * em and block.width > _WIDER * width


def _ink_width(ink: InkPart) -> float:
    """Return about how wide the lines of some ink are, in pixels: its area against its outline's half."""
    mask = ink.mask > 0
    across = int(np.count_nonzero(mask[:, 1:] != mask[:, :-1])) + int(np.count_nonzero(mask[1:] != mask[:-1]))
    return max(1.0, 2.2 * ink.area / max(1, across))


def _away(a: Block, b: Block) -> float:
    across = max(a.left, b.left) - min(a.right, b.right)
    down = max(a.top, b.top) - min(a.bottom, b.bottom)
    return max(across, 0.0) + 2 * max(down, 0.0)
