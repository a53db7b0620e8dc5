"""Which symbols were found: boxes matched one to one by how far they overlap."""

from __future__ import annotations

from collections.abc import Sequence

Boxed = tuple[float, float, float, float]

FOUND = 0.5
"""A symbol is found where a box that was read overlaps its own by at least this much."""


def overlap(one: Boxed, other: Boxed) -> float:
    """Return the intersection of two boxes ``(x, y, width, height)`` over their union, from 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def match(truth: Sequence[Boxed], read: Sequence[Boxed], *, least: float = FOUND) -> list[tuple[int, int]]:
    """Match boxes one to one, as many as can be; pairs that overlap most come first.

    Kuhn's augmenting paths: a pair is given up only where that makes room for one more.

    Args:
        truth: boxes that should be there.
        read: boxes that are there.
        least: how far two must overlap to be a pair.

    Returns:
        ``(index into truth, index into read)``, in the order of the truth.
    """
    overlaps = [[overlap(one, other) for other in read] for one in truth]
    candidates = [sorted((j for j, o in enumerate(row) if o >= least), key=lambda j: -row[j]) for row in overlaps]
    holder: dict[int, int] = {}

    def place(i: int, tried: set[int]) -> bool:
        for j in candidates[i]:
            if j in tried:
                continue
            tried.add(j)
            if j not in holder or place(holder[j], tried):
                holder[j] = i
                return True
        return False

    for i in sorted(range(len(truth)), key=lambda i: -max(overlaps[i], default=0.0)):
        place(i, set())
    return sorted((i, j) for j, i in holder.items())
