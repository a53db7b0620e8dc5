"""The lines of a page: what stands over something else with free paper between them is another line.

A fraction is one block, however high. What is only raised, with nothing of the lower line under it, is a superscript
of that line and no line of its own. Where lines come so close that no free paper is left, a stack that is too high for
one line is parted where the least ink is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.fractions import divisions, is_flat
from edge_client.vision.ink import InkPart

_FREE = 0.3  # em of free paper between two lines
_NEAR = 0.75  # em between a fraction's bar and what it divides, where there may be other lines
_TALL = 2.6  # em: a stack of blocks without fractions that is higher holds more than one line
_VALLEY = 0.25  # of the ink of the densest rows, at most, lies between lines
_PAIRS = 20  # of neighbours, at least, before a slope is believed
_STEEPEST = 0.2  # rows to a column
_BASE = 0.8  # em, across and down, from a superscript to its base
_DIVIDED = 1.6  # em between a bar and what it divides
_CROSSING = 0.1  # of a stack's blocks, at most, lie across the place where it is parted
_FEWEST = 2  # blocks of a line that is parted from another so
_SLIGHT = 0.25  # em: smaller ink is dots, which part no lines


@dataclass(slots=True, eq=False)
class _Block:
    members: tuple[int, ...]
    left: float
    top: float
    right: float
    bottom: float
    fraction: bool
    flat: bool

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def lines(inks: Sequence[InkPart], *, em: float) -> list[list[int]]:
    """Sort ink into lines, from top to bottom.

    Args:
        inks: connected components.
        em: about how high digits are, in pixels.

    Returns:
        for each line, the indices of its ink.
    """
    blocks = _blocks(inks, em=em)
    slope = _slope(blocks, em=em)
    for block in blocks:
        drop = slope * block.centre
        block.top -= drop
        block.bottom -= drop
    large = [block for block in blocks if max(block.right - block.left, block.bottom - block.top) > _SLIGHT * em]
    if not large:
        return [sorted(range(len(inks)))] if inks else []
    found = [part for group in _parted(large, em=em) for part in _parted_where_thin(group, em=em)]
    members = [[i for block in group for i in block.members] for group in found]
    for block in blocks:
        if not any(block is other for other in large):
            nearest = min(range(len(found)), key=lambda k: min(_away(block, other) for other in found[k]))
            members[nearest].extend(block.members)
    order = sorted(range(len(found)), key=lambda k: float(np.median([block.middle for block in found[k]])))
    return [sorted(members[k]) for k in order]


def _blocks(inks: Sequence[InkPart], *, em: float) -> list[_Block]:
    blocks = []
    free = set(range(len(inks)))
    for division in divisions(inks, [is_flat(ink) for ink in inks], em=em, far=_NEAR * em):
        members = (division.bar, *division.above, *division.below)
        free -= set(members)
        blocks.append(_block(inks, members, fraction=True))
    blocks.extend(_block(inks, (i,), fraction=False) for i in sorted(free))
    return blocks


def _block(inks: Sequence[InkPart], members: tuple[int, ...], *, fraction: bool) -> _Block:
    chosen = [inks[i] for i in members]
    return _Block(
        members,
        min(ink.x for ink in chosen),
        min(ink.y for ink in chosen),
        max(ink.right for ink in chosen),
        max(ink.bottom for ink in chosen),
        fraction,
        flat=len(chosen) == 1 and is_flat(chosen[0]),
    )


def _slope(blocks: Sequence[_Block], *, em: float) -> float:
    """Return how the lines fall, in rows to a column: the median over pairs of neighbours a few em apart."""
    slopes = []
    plain = sorted((block for block in blocks if not block.fraction), key=lambda block: block.centre)
    for place, a in enumerate(plain):
        for b in plain[place + 1 :]:
            across = b.centre - a.centre
            if across > 6 * em:
                break
            if across > 1.5 * em and min(a.bottom, b.bottom) > max(a.top, b.top):
                slopes.append((b.middle - a.middle) / across)
    slope = float(np.median(slopes)) if len(slopes) >= _PAIRS else 0.0
    return slope if abs(slope) < _STEEPEST else 0.0


def _parted(blocks: Sequence[_Block], *, em: float) -> list[list[_Block]]:
    """Part blocks wherever free paper lies right across."""
    groups: list[list[_Block]] = []
    reach = 0.0
    for block in sorted(blocks, key=lambda block: block.top):
        if groups and block.top < reach + _FREE * em:
            groups[-1].append(block)
            reach = max(reach, block.bottom)
        else:
            groups.append([block])
            reach = block.bottom
    parted = groups[:1]
    for group in groups[1:]:
        if _stacked(parted[-1], group, em=em):
            parted.append(group)
        else:
            parted[-1] = [*parted[-1], *group]
    return parted


def _stacked(upper: Sequence[_Block], lower: Sequence[_Block], *, em: float) -> bool:
    """Say whether two groups are lines, one over the other; not so superscripts and what a bar divides."""
    if not any(a.left < b.right and b.left < a.right for a in upper for b in lower):
        return False
    if all(any(_may_carry(base, block, em=em) for base in lower) for block in upper):
        return False
    return not any(
        bar.flat and _may_be_divided(other, bar, em=em)
        for one, other in ((upper, lower), (lower, upper))
        for bar in one
    )


def _may_carry(base: _Block, block: _Block, *, em: float) -> bool:
    across, down = block.left - base.right, base.top - block.bottom
    return base.centre < block.centre and across < _BASE * em and down < _BASE * em


def _may_be_divided(blocks: Sequence[_Block], bar: _Block, *, em: float) -> bool:
    away = min(max(block.top - bar.bottom, bar.top - block.bottom) for block in blocks)
    inside = all(bar.left - 0.5 * em < block.centre < bar.right + 0.5 * em for block in blocks)
    return inside and away < _DIVIDED * em


def _parted_where_thin(group: list[_Block], *, em: float) -> list[list[_Block]]:
    """Part a group that is too high for one line where the least ink lies."""
    plain = [block for block in group if not block.fraction]
    top, bottom = min(block.top for block in group), max(block.bottom for block in group)
    if bottom - top < _TALL * em or len(plain) < 4 or any(block.fraction for block in group):
        return [group]
    rows: NDArray[np.float64] = np.zeros(int(bottom - top) + 2)
    for block in plain:
        rows[int(block.top - top) : int(block.bottom - top) + 1] += block.right - block.left
    margin = int(0.8 * em)
    inner = rows[margin:-margin]
    if inner.size == 0 or inner.min() > _VALLEY * rows.max():
        return [group]
    level = top + margin + int(np.argmin(inner))
    slack = 0.15 * em
    upper = [block for block in group if block.middle < level]
    lower = [block for block in group if block.middle >= level]
    crossing = [block for block in group if block.top + slack < level < block.bottom - slack]
    if len(crossing) > _CROSSING * len(group) or min(len(upper), len(lower)) < _FEWEST:
        return [group]
    if not _stacked(upper, lower, em=em):
        return [group]
    return [*_parted_where_thin(upper, em=em), *_parted_where_thin(lower, em=em)]


def _away(a: _Block, b: _Block) -> float:
    across = max(a.left, b.left) - min(a.right, b.right)
    down = max(a.top, b.top) - min(a.bottom, b.bottom)
    return max(across, 0.0) + 2 * max(down, 0.0)
