"""Fraction bars: flat strokes with ink over and under them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge_client.vision.ink import InkPart

_FLAT = 2.2  # width to height of the flattest other stroke
_REACH = 0.15  # em that what a bar divides may stand out at its ends


class Division(NamedTuple):
    """A bar and what it divides: indices of pieces of ink."""

    bar: int
    above: tuple[int, ...]
    below: tuple[int, ...]


def is_flat(ink: InkPart) -> bool:
    """Say whether some ink can be a bar by its shape."""
    return ink.width > _FLAT * ink.height


def divisions(inks: Sequence[InkPart], indices: Sequence[int], *, em: float) -> list[Division]:
    """Find the outermost fractions, the widest first; a piece is in one of them at most.

    Args:
        inks: pieces of ink.
        indices: which of them to look at.
        em: about how high digits are, in pixels.
    """
    free = set(indices)
    found = []
    for bar in sorted((i for i in indices if is_flat(inks[i])), key=lambda i: -inks[i].width):
        if bar not in free:
            continue
        division = _divided(inks, bar, free, em=em)
        if division is not None:
            found.append(division)
            free -= {bar, *division.above, *division.below}
    return found


def _divided(inks: Sequence[InkPart], bar: int, free: set[int], *, em: float) -> Division | None:
    ink = inks[bar]
    reach = _REACH * em
    above, below = [], []
    for i in free:
        other = inks[i]
        centre = other.x + other.width / 2
        if i == bar or not ink.x - reach <= centre <= ink.right + reach:
            continue
        middle = ink.y + ink.height / 2
        if other.bottom < middle + 0.3 * other.height:
            above.append(i)
        elif other.y > middle - 0.3 * other.height:
            below.append(i)
        else:
            return None
    if not above or not below:
        return None
    return Division(bar, tuple(above), tuple(below))
