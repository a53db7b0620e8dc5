"""Which pieces of ink may be one symbol."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import exp

from edge_client.reading.element import Candidate
from edge_client.reading.habits import Stack
from edge_client.vision.ink import InkPart, united

_LEAST = -5.5  # log-odds; of the pairs that are one symbol, 3 in 100 are less
_NEIGHBOURS = 4  # joins that one atom takes part in
_BAR = 1.5  # width to height of a flat stroke, at least
_DIVISION = 1.0  # log-odds of a bar with a dot on either side being a division sign
_DOT = 0.3  # em: larger dots may be symbols over and under a fraction bar
_DOT_EXCESS = 12.0  # log-odds to an em by which a dot is larger

# Logistic regression of "one symbol" on 20,893 pairs of neighbouring pieces of CROHME (strokes drawn 0.06 to 0.1 em
# wide): 98 % right at 0. In the order of the features in `link`.
_WEIGHTS = (
    0.94, -9.5, 2.77, 3.98, -1.66, -1.77, 7.93, -4.39, -3.04, -0.81, -0.16, -1.79, -3.88, -2.11, -1.45, -2.34,
    0.49, 0.35, -2.6, -4.04, -1.36, 1.49, 1.46,
)  # fmt: skip


def link(a: InkPart, b: InkPart, *, em: float) -> float:
    """Return the log-odds that two pieces of ink are one symbol, from how they lie alone."""
    gap_x = max(a.x, b.x) - min(a.right, b.right)
    gap_y = max(a.y, b.y) - min(a.bottom, b.bottom)
    over_x = min(1.0, max(0, -gap_x) / max(1, min(a.width, b.width)))
    over_y = min(1.0, max(0, -gap_y) / max(1, min(a.height, b.height)))
    away_x, away_y = max(gap_x, 0) / em, max(gap_y, 0) / em
    near_x, near_y = exp(-away_x / 0.08), exp(-away_y / 0.08)
    flat_a, flat_b = a.width > 2 * a.height, b.width > 2 * b.height
    both = float(flat_a and flat_b)
    small, large = sorted((max(a.width, a.height) / em, max(b.width, b.height) / em))
    alike = min(a.width, b.width) / max(a.width, b.width)
    tops, bottoms = abs(a.y - b.y) / em, abs(a.bottom - b.bottom) / em
    beside = (1 - both) * exp(-(tops + bottoms) / 0.25)
    features = (
        1, away_x, away_y, over_x, over_y, both, both * over_x * alike, both * away_y, over_x * over_y,
        small, large, over_x * away_y, over_y * away_x, float(flat_a != flat_b), over_x**2, float(large > 1.6),
        beside * near_x, beside, near_x * near_y, min(tops, 1), min(bottoms, 1), near_x * over_y, near_y * over_x,
    )  # fmt: skip
    return sum(weight * feature for weight, feature in zip(_WEIGHTS, features, strict=True))


def candidates(atoms: Sequence[InkPart], *, em: float) -> list[Candidate]:
    """Return everything that may be one symbol: each piece, and pieces that lie as those of one symbol do.

    Args:
        atoms: the pieces of one line, fewer than a few hundred.
        em: about how high digits are, in pixels.
    """
    found = [Candidate(1 << i, ink, 0.0, 1) for i, ink in enumerate(atoms)]
    links: dict[tuple[int, int], float] = {}
    order = sorted(range(len(atoms)), key=lambda i: atoms[i].x)
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if atoms[j].x > atoms[i].right + 0.4 * em:
                break
            odds = link(atoms[i], atoms[j], em=em)
            if odds > _LEAST:
                links[min(i, j), max(i, j)] = odds
    degree: dict[int, int] = {}
    pairs: dict[tuple[int, int], float] = {}
    for pair, odds in sorted(links.items(), key=lambda item: -item[1]):
        if all(degree.get(i, 0) < _NEIGHBOURS for i in pair):
            pairs[pair] = odds
            for i in pair:
                degree[i] = degree.get(i, 0) + 1
            inks = [atoms[i] for i in pair]
            stack: Stack = "bars" if all(ink.width > _BAR * ink.height for ink in inks) else ""
            found.append(Candidate(1 << pair[0] | 1 << pair[1], united(inks), odds, 2, stack))
    taken = {candidate.atoms for candidate in found}
    for trio, odds, stack in _trios(atoms, pairs, em=em):
        bits = sum(1 << i for i in trio)
        if bits not in taken:
            taken.add(bits)
            found.append(Candidate(bits, united([atoms[i] for i in trio]), odds, 3, stack))
    return found


def _trios(
    atoms: Sequence[InkPart], pairs: dict[tuple[int, int], float], *, em: float
) -> list[tuple[tuple[int, ...], float, Stack]]:
    """Find bars with a dot on either side, and three pieces of which one is joined to both others."""
    trios: list[tuple[tuple[int, ...], float, Stack]] = []
    for i, bar in enumerate(atoms):
        if bar.width <= _BAR * bar.height:
            continue
        near = [
            j
            for j, dot in enumerate(atoms)
            if j != i
            and max(dot.width, dot.height) < 0.6 * bar.width
            and bar.x - 0.1 * bar.width < dot.x + dot.width / 2 < bar.right + 0.1 * bar.width
            and max(dot.y - bar.bottom, bar.y - dot.bottom) < 0.8 * bar.width
        ]
        above = [j for j in near if atoms[j].y + atoms[j].bottom < bar.y + bar.bottom]
        below = [j for j in near if j not in above]
        if len(above) == 1 and len(below) == 1:
            dots = max(max(atoms[j].width, atoms[j].height) for j in (*above, *below))
            odds = _DIVISION - _DOT_EXCESS * max(0.0, dots / em - _DOT)
            trios.append(((i, above[0], below[0]), odds, "division"))
    joined: dict[int, list[tuple[int, float]]] = {}
    for (i, j), odds in pairs.items():
        joined.setdefault(i, []).append((j, odds))
        joined.setdefault(j, []).append((i, odds))
    for i, others in joined.items():
        for (j, first), (k, second) in combinations(others, 2):
            if first + second > _LEAST:
                trios.append(((i, j, k), first + second, ""))
    return trios
