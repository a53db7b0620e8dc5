"""Blocks of ink for sorting into lines: a fraction with its bar, an equals sign, or a single piece.

Here a bar divides only what is close to it and one row high on either side, because a minus has the lines above and
below over and under it, too; what a sign means is decided later, on its line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edge_client.reading.fractions import is_flat
from edge_client.vision.ink import InkPart

_AROUND = 3.0  # em
_NEAR = 0.75  # em between a bar and what it divides
_REACH = 0.15  # em that the middle of what a bar divides may lie outside its ends
_APART = 0.15  # em of free paper between the pieces of one row, one over the other
_RAISED, _SMALLER = 0.3, 0.85  # em over its base, and times its height, of a superscript that nothing else is beside
_NEXT = 0.9  # em between neighbours on a row
_LEVEL = 0.35  # of the height of the higher one, between the middles of neighbours
_BEYOND = 0.5  # of a bar's width: a row that goes on further beyond its ends is no numerator
_EQUAL, _EQUAL_TALL = 0.85, 1.2  # em, and times their width, between the strokes of an equals sign
_ALIKE = 0.5  # of the shorter stroke that lies over or under the other one
_LONGER = 2.2  # times the other stroke
_THIN, _LONG = 0.4, 1.3  # em high, and times as wide as high: a stroke of an equals sign, slanted as it may be
_THIN_OF_LENGTH = 0.35  # times as high as wide: likewise, where the rest of the page is small
_SHORT = 0.25  # em: no stroke of a sign is shorter
_DOT = 0.45  # em: a bar with only a smaller dot on either side is a division sign


@dataclass(slots=True, eq=False)
class Block:
    """Ink that is on one line for certain.

    Attributes:
        members: the indices of its pieces.
        left: its first column.
        top: its first row.
        right: the first column right of it.
        bottom: the first row below it.
        flat: whether it is a single stroke that may be a bar.
        axis: of a fraction, the row of its bar; of others, that of its middle.
        fraction: whether it has a bar that divides.
    """

    members: tuple[int, ...]
    left: float
    top: float
    right: float
    bottom: float
    flat: bool
    axis: float
    fraction: bool = False

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top

    @property
    def centre(self) -> float:
        """The column of its middle."""
        return (self.left + self.right) / 2

    @property
    def middle(self) -> float:
        """The row of the middle of its box."""
        return (self.top + self.bottom) / 2


def blocks(inks: Sequence[InkPart], *, em: float) -> list[Block]:
    """Join what is certainly on one line, fractions from the inside out.

    Args:
        inks: connected components.
        em: about how high digits are, in pixels.
    """
    found = [
        Block((i,), ink.x, ink.y, ink.right, ink.bottom, is_flat(ink), ink.y + ink.height / 2)
        for i, ink in enumerate(inks)
    ]
    found = _signs_joined(found, em=em)
    for bar in sorted((block for block in found if block.flat), key=lambda block: block.width):
        near = _around(bar, found, em=em)
        over = _row_next_to(bar, near, above=True, em=em)
        under = _row_next_to(bar, near, above=False, em=em) if over else []
        if over and under and not _no_fraction(bar, over, under, near, em=em):
            parts = [bar, *over, *under]
            found = [block for block in found if not any(block is part for part in parts)]
            found.append(_joined(parts, axis=bar.middle, fraction=True))
    return found


def _joined(parts: Sequence[Block], *, axis: float, fraction: bool) -> Block:
    return Block(
        tuple(i for part in parts for i in part.members),
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
        False,
        axis,
        fraction,
    )


def _signs_joined(found: list[Block], *, em: float) -> list[Block]:
    """Join the two strokes of every equals sign, and a stroke with the dots over and under it."""
    strokes = sorted(
        (
            block
            for block in found
            if block.height < max(_THIN * em, _THIN_OF_LENGTH * block.width)
            and block.width > max(_LONG * block.height, _SHORT * em)
        ),
        key=lambda block: block.middle,
    )
    dots = [block for block in found if max(block.width, block.height) < _DOT * em]
    joined: list[Block] = []
    used: set[int] = set()
    for place, a in enumerate(strokes):
        if id(a) in used:
            continue
        parts = [a]
        for b in strokes[place + 1 :]:
            if b.middle - a.middle > _EQUAL * em:
                break
            if b.middle - a.middle > _EQUAL_TALL * max(a.width, b.width):
                continue
            shared = min(a.right, b.right) - max(a.left, b.left)
            alike = max(a.width, b.width) < _LONGER * min(a.width, b.width)
            if id(b) not in used and alike and shared > _ALIKE * min(a.width, b.width):
                parts.append(b)
                break
        else:
            parts += [
                dot
                for dot in dots
                if dot is not a
                and id(dot) not in used
                and a.left < dot.centre < a.right
                and abs(dot.middle - a.middle) < _EQUAL * em
            ]
        if len(parts) > 1:
            joined.append(_joined(parts, axis=sum(part.middle for part in parts) / len(parts), fraction=False))
            used.update(map(id, parts))
    return [block for block in found if id(block) not in used] + joined


def _around(bar: Block, found: Sequence[Block], *, em: float) -> list[Block]:
    """Return what is close enough to a bar to have to do with it."""
    far = _AROUND * em
    left, right, top, bottom = bar.left - far, bar.right + far, bar.top - far, bar.bottom + far
    return [
        block
        for block in found
        if block.left < right and block.right > left and block.top < bottom and block.bottom > top
    ]


def _row_next_to(bar: Block, found: Sequence[Block], *, above: bool, em: float) -> list[Block]:
    """Return the row over or under a bar: what is nearest, and what is level with that or raised from it."""
    reach = _REACH * em
    # a longer bar that covers this one divides this fraction itself
    longer = [
        block.middle
        for block in found
        if block.flat and block.width > bar.width and block.left < bar.centre < block.right
    ]
    roof = max((level for level in longer if level < bar.middle), default=-math.inf)
    floor = min((level for level in longer if level > bar.middle), default=math.inf)
    beside = [
        block
        for block in found
        if block is not bar
        and bar.left - reach <= block.centre <= bar.right + reach
        and (roof < block.middle < bar.middle if above else bar.middle < block.middle < floor)
    ]
    row: list[Block] = []
    for block in sorted(beside, key=lambda block: -block.bottom if above else block.top):
        if not row:
            away = bar.top - block.bottom if above else block.top - bar.bottom
            if away > _NEAR * em:
                break
            row.append(block)
            continue
        beside_it = min(row, key=lambda one: max(one.left, block.left) - min(one.right, block.right))
        away = beside_it.top - block.bottom if above else block.top - beside_it.bottom
        raised = above and away < _RAISED * em and any(_raised(block, base) for base in row)
        if away < _APART * em or raised:
            row.append(block)
    return _with_overhang(bar, row, found, em=em) if row else row


def _with_overhang(bar: Block, row: list[Block], found: Sequence[Block], *, em: float) -> list[Block]:
    """Return a row with what begins over or under its bar, and ends beyond."""
    first, last = min(row, key=lambda block: block.left), max(row, key=lambda block: block.right)
    more = [
        block
        for block in found
        if block is not bar
        and not any(block is one for one in row)
        and block.left < bar.right
        and block.right > bar.left
        and (block.top > bar.bottom or block.bottom < bar.top)
        and (
            (block.centre > last.centre and block.left - last.right < _NEXT * em and _level(block, last))
            or (block.centre < first.centre and first.left - block.right < _NEXT * em and _level(block, first))
        )
    ]
    return [*row, *more]


def _raised(block: Block, base: Block) -> bool:
    """Say whether a block stands at the upper right of a base and is smaller, and no sign of another line."""
    digit = len(block.members) == 1 and block.width < 2 * block.height
    return digit and base.centre < block.left and block.height < _SMALLER * base.height


def _no_fraction(bar: Block, over: list[Block], under: list[Block], found: Sequence[Block], *, em: float) -> bool:
    dots = len(over) == len(under) == 1 and all(max(one.width, one.height) < _DOT * em for one in (*over, *under))
    if dots:
        return True
    crossed = any(
        block is not bar
        and block.top < bar.middle - 0.2 * em
        and block.bottom > bar.middle + 0.2 * em
        and bar.left + 0.12 * bar.width < block.centre < bar.right - 0.12 * bar.width
        for block in found
    )
    if crossed:
        return True
    ends = [_goes_on(bar, row, found, em=em) for row in (over, under)]
    return all(ends[0]) or all(ends[1]) or (any(ends[0]) and any(ends[1]))


def _goes_on(bar: Block, row: Sequence[Block], found: Sequence[Block], *, em: float) -> tuple[bool, bool]:
    """Say whether a row goes on beyond the left and beyond the right end of a bar."""
    first, last = min(row, key=lambda block: block.left), max(row, key=lambda block: block.right)
    on_left = on_right = False
    for block in found:
        if block is bar or any(block is one for one in row):
            continue
        if abs(block.middle - bar.middle) < 0.4 * em:
            continue
        if block.centre < bar.left and first.left - block.right < _NEXT * em:
            on_left = on_left or _level(block, first)
        if block.centre > bar.right and block.left - last.right < _NEXT * em:
            on_right = on_right or _level(block, last)
    return on_left, on_right


def _level(a: Block, b: Block) -> bool:
    return abs(a.middle - b.middle) < _LEVEL * max(a.height, b.height)
