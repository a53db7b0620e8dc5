"""Two sequences side by side: the cheapest way from one to the other (Wagner and Fischer 1974)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

Pairs = list[tuple[T | None, T | None]]
"""What stands beside what; None where nothing does."""


def align(
    truth: Sequence[T], read: Sequence[T], *, cost: Callable[[T, T], float], alone: Callable[[T], float]
) -> tuple[float, Pairs[T]]:
    """Align two sequences in order, at the least cost.

    Args:
        truth: what should be there.
        read: what is there.
        cost: of two items side by side; 0 where they are equal.
        alone: of an item beside nothing.

    Returns:
        The cost, and the pairs in order. Of ways that cost the same, one with more items side by side is taken.
    """
    rows, columns = len(truth) + 1, len(read) + 1
    # Beside the cost, the number of items left alone, so that ties are told apart.
    table: list[list[tuple[float, int]]] = [[(0.0, 0)] * columns for _ in range(rows)]
    for i in range(1, rows):
        table[i][0] = _plus(table[i - 1][0], alone(truth[i - 1]), 1)
    for j in range(1, columns):
        table[0][j] = _plus(table[0][j - 1], alone(read[j - 1]), 1)
    for i in range(1, rows):
        for j in range(1, columns):
            table[i][j] = min(
                _plus(table[i - 1][j - 1], cost(truth[i - 1], read[j - 1]), 0),
                _plus(table[i - 1][j], alone(truth[i - 1]), 1),
                _plus(table[i][j - 1], alone(read[j - 1]), 1),
            )
    pairs: Pairs[T] = []
    i, j = len(truth), len(read)
    while i or j:
        here = table[i][j]
        if i and j and here == _plus(table[i - 1][j - 1], cost(truth[i - 1], read[j - 1]), 0):
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
        elif i and here == _plus(table[i - 1][j], alone(truth[i - 1]), 1):
            i -= 1
            pairs.append((truth[i], None))
        else:
            j -= 1
            pairs.append((None, read[j]))
    return table[-1][-1][0], pairs[::-1]


def align_tokens(truth: Sequence[str], read: Sequence[str]) -> tuple[int, Pairs[str]]:
    """Align tokens; the cost is the edit distance: one for each token that is taken for another, missed or added."""
    distance, pairs = align(truth, read, cost=lambda one, other: float(one != other), alone=lambda _: 1.0)
    return round(distance), pairs


def _plus(so_far: tuple[float, int], cost: float, alone: int) -> tuple[float, int]:
    return so_far[0] + cost, so_far[1] + alone
