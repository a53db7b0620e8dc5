"""Fraction bars: flat strokes with ink over and under them, the shortest first, each then taken as one thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_client.vision.ink import InkPart

_FLAT = 2.2  # width to height of the flattest other stroke
_STROKES = 1.3  # strokes that a column of a bar meets, on average, at most
_DOT = 0.35  # em: a bar with only a smaller dot on either side is a division sign
_REACH = 0.15  # em that the middle of what a bar divides may lie outside its ends
_FAR = 1.6  # em between a bar and what it divides
_FAR_OF_BAR = 0.3  # of the bar's width, between it and what it divides
_NEXT = 0.9  # em between what a bar divides and what goes on beside it beyond the bar's end
_OVERHANG = 0.5  # of the bar's width that may go on beyond its end; twice that for what begins inside
_DIPS = 0.38  # of the height of what a bar divides that may lie beyond it: tails of y, slanted bars
_MARGIN = 0.12  # of a bar's width at either end, where a bracket may pass


class Division(NamedTuple):
    """A bar and what it divides: indices of pieces of ink."""

    bar: int
    above: tuple[int, ...]
    below: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Unit:
    """A piece of ink, or a fraction that was found."""

    indices: tuple[int, ...]
    left: float
    top: float
    right: float
    bottom: float
    flat: bool
    division: Division | None = None

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def centre(self) -> float:
        return (self.left + self.right) / 2

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def is_flat(ink: InkPart) -> bool:
    """Say whether some ink can be a bar by its shape: wide, and a single stroke at almost every column."""
    if ink.width <= _FLAT * ink.height:
        return False
    inside = ink.mask > 0
    starts = np.count_nonzero(inside[0]) + np.count_nonzero(inside[1:] & ~inside[:-1])
    return bool(starts < _STROKES * ink.width)


def divisions(inks: Sequence[InkPart], bars: Sequence[bool], *, em: float, far: float | None = None) -> list[Division]:
    """Find the outermost fractions; a piece is in one of them at most.

    Args:
        inks: connected components.
        bars: which of them may be a bar.
        em: about how high digits are, in pixels.
        far: pixels between a bar and what it divides, at most; where None, 1.6 em, and more for a long bar.
    """
    units = [_Unit((i,), inks[i].x, inks[i].y, inks[i].right, inks[i].bottom, bars[i]) for i in range(len(inks))]
    # A bar inside a fraction is shorter than the fraction's own.
    for bar in sorted((unit for unit in units if unit.flat), key=lambda unit: unit.width):
        above, below = _over_and_under(
            bar, units, em=em, far=max(_FAR * em, _FAR_OF_BAR * bar.width) if far is None else far
        )
        if not above or not below or _is_division_sign(bar, above, below, em=em):
            continue
        above += _overhanging(bar, above, units, em=em)
        below += _overhanging(bar, below, units, em=em)
        parts = [bar, *above, *below]
        units = [unit for unit in units if not any(unit is part for part in parts)]
        units.append(_fraction(bar, above, below))
    return [unit.division for unit in units if unit.division is not None]


def _fraction(bar: _Unit, above: list[_Unit], below: list[_Unit]) -> _Unit:
    parts = [bar, *above, *below]
    return _Unit(
        _indices(parts),
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
        flat=False,
        division=Division(bar.indices[0], _indices(above), _indices(below)),
    )


def _indices(units: Iterable[_Unit]) -> tuple[int, ...]:
    return tuple(i for unit in units for i in unit.indices)


def _over_and_under(bar: _Unit, units: Sequence[_Unit], *, em: float, far: float) -> tuple[list[_Unit], list[_Unit]]:
    """Return what lies over and under a bar, as far as the next longer bars; nothing where something crosses it."""
    reach = _REACH * em
    above: list[_Unit] = []
    below: list[_Unit] = []
    for unit in units:
        if unit is bar or unit.right < bar.left or unit.left > bar.right:
            continue
        inside = bar.left - reach <= unit.centre <= bar.right + reach
        covers = unit.flat and unit.width > bar.width and unit.left < bar.centre < unit.right
        if not inside and not covers:
            continue
        side = _side(unit, bar.middle)
        if side == 0:
            margin = _MARGIN * bar.width
            if bar.left + margin < unit.centre < bar.right - margin:
                return [], []
            continue
        (above if side < 0 else below).append(unit)
    roof = max((unit.middle for unit in above if unit.flat and unit.width > bar.width), default=float("-inf"))
    floor = min((unit.middle for unit in below if unit.flat and unit.width > bar.width), default=float("inf"))
    above = [unit for unit in above if unit.middle > roof]
    below = [unit for unit in below if unit.middle < floor]
    return _without_gap(above, bar.top, far=far), _without_gap(below, bar.bottom, far=far)


def _is_division_sign(bar: _Unit, above: Sequence[_Unit], below: Sequence[_Unit], *, em: float) -> bool:
    dots = [*above, *below]
    return len(above) == len(below) == 1 and all(max(dot.width, dot.height) < _DOT * em for dot in dots)


def _without_gap(units: Sequence[_Unit], edge: float, *, far: float) -> list[_Unit]:
    """Return the units that follow on an edge with no more than so much free paper between them."""
    near: list[_Unit] = []
    top = bottom = edge
    for unit in sorted(units, key=lambda unit: abs(unit.middle - edge)):
        if max(unit.top - bottom, top - unit.bottom) > far:
            break
        near.append(unit)
        top, bottom = min(top, unit.top), max(bottom, unit.bottom)
    return near


def _side(unit: _Unit, level: float) -> int:
    """Say whether a unit is over (-1) or under (1) a level, or on it (0)."""
    if unit.bottom < level + _DIPS * unit.height:
        return -1
    return 1 if unit.top > level - _DIPS * unit.height else 0


def _overhanging(bar: _Unit, row: list[_Unit], units: Sequence[_Unit], *, em: float) -> list[_Unit]:
    """Return what goes on beside a numerator or denominator beyond the ends of the bar."""
    side = _side(row[0], bar.middle)
    rest = [unit for unit in units if unit is not bar and not any(unit is part for part in row)]
    on_level = [unit for unit in rest if _side(unit, bar.middle) == 0]
    found: list[_Unit] = []
    grown = True
    while grown:
        grown = False
        for unit in rest:
            if _side(unit, bar.middle) != side or any(unit is part for part in found):
                continue
            nearest = min([*row, *found], key=lambda part: _gap(part, unit))
            gap = _gap(nearest, unit)
            if (
                gap < _NEXT * em
                and _goes_on(unit, nearest, bar, em=em)
                and all(_gap(other, unit) > gap for other in on_level)
            ):
                found.append(unit)
                grown = True
    return found


def _gap(a: _Unit, b: _Unit) -> float:
    return max(a.left, b.left) - min(a.right, b.right)


def _goes_on(unit: _Unit, nearest: _Unit, bar: _Unit, *, em: float) -> bool:
    """Say whether a unit beyond the end of a bar goes on the row of its nearest part: level with it, or raised."""
    begins_inside = _gap(unit, bar) < -0.15 * unit.width
    beyond = max(bar.left - unit.left, unit.right - bar.right)
    clear = bar.top - unit.bottom if unit.middle < bar.middle else unit.top - bar.bottom
    if clear < -0.1 * em or beyond > _OVERHANG * bar.width * (1 + begins_inside):
        return False
    left, right = (unit, nearest) if unit.centre < nearest.centre else (nearest, unit)
    raised = left.top - 0.25 * em < right.bottom < left.middle + 0.1 * left.height
    if raised:
        return begins_inside or left is nearest
    away = abs(unit.middle - nearest.middle) / max(unit.height, nearest.height)
    return away < (0.4 if begins_inside else 0.2)
