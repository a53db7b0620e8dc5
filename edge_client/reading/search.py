"""The likeliest way to read a row: which ink is a symbol, what it is, and what is raised, all decided together.

A beam search from left to right. A state has used up some atoms; the next element is one that holds the leftmost of
those that are left. What a step costs is the sum of how the ink looks (the classifier), how it lies (a Student-t
likelihood of its middle and its size on the line as far as it is known, `edge_client.reading.levels`), and whether a
well-formed expression goes on like that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import exp, log, sqrt
from operator import itemgetter
from typing import Any, NamedTuple

from edge_client.reading.element import Choice, Element, Path, Step
from edge_client.reading.levels import (
    FREEDOM,
    MIDDLE_UNIT,
    SIZE_UNIT,
    UNEXPLAINED,
    Level,
    Place,
    open_after,
    places_after,
)
from edge_client.reading.well_formed import FIRST_LETTER, START

BEAM = 8
_MARGIN = 10.0  # nats below the best; a state so far behind does not recover
_SIZE_UNITS, _UNITS = SIZE_UNIT**-2, (SIZE_UNIT * MIDDLE_UNIT) ** -2
_BEST_PLACE = 1.0  # nats, more than the best place of any habit brings

_Way = tuple[float, "_State", Element, Choice, Place]
"""A step that a state may take: the score after it, the state, what stands there, what it is, and on which level."""


class _State(NamedTuple):
    score: float
    atoms: int
    levels: tuple[Level, ...]
    marks: tuple[tuple[str, int], ...]  # of each level, what matters to what follows: the last kind, and open brackets
    trail: Any
    letters: bool  # whether there is any so far


def _has_letters(element: Element, choice: Choice) -> bool:
    return element.letters or choice.kind == "letter"


class _Bucket:
    """The ways that lead to states with the same number of atoms.

    Attributes:
        least: a way with a score below it will not be among the best.
    """

    __slots__ = ("_beam", "_ways", "least")

    def __init__(self, beam: int) -> None:
        self._beam = beam
        self._ways: list[_Way] = []
        self.least = float("-inf")

    def add(self, ways: list[_Way]) -> None:
        """Take ways in, and raise the least score that still counts."""
        mine = self._ways
        mine += ways
        if len(mine) > 3 * self._beam:
            self._ways = list(self._best())

    def states(self) -> list[_State]:
        """Return the states that the best ways lead to, of those that go on alike only the best; the best first."""
        return [_reached(way) for way in self._best()]

    def _best(self) -> Iterator[_Way]:
        ways = self._ways
        ways.sort(key=itemgetter(0), reverse=True)
        if not ways:
            return
        self.least = max(self.least, ways[0][0] - _MARGIN)
        seen = set()
        for way in ways:
            score, state, element, choice, place = way
            if score < self.least:
                return
            brackets = open_after(place.level.open, choice.kind)
            letters = state.letters or _has_letters(element, choice)
            marks = state.marks[: place.depth]
            key = (state.atoms | element.atoms, choice.label, marks, choice.kind, brackets, letters)
            if key not in seen:
                seen.add(key)
                yield way
                if len(seen) == self._beam:
                    self.least = score
                    return


def read_row(
    elements: Sequence[Element], *, atoms: int, keys: Sequence[float], em: float, beam: int = BEAM
) -> list[Path]:
    """Return the likeliest ways to read a row, the best first.

    Args:
        elements: what it may be made of; each atom is in at least one that the row can use.
        atoms: the row's ink, all of which is used.
        keys: by atom, the column that it is sorted by.
        em: about how high digits are, in pixels.
        beam: how many states of the same atoms are kept.
    """
    order = _by_first_atom(elements, atoms, keys)
    total = atoms.bit_count()
    buckets = [_Bucket(beam) for _ in range(total + 1)]
    states = [_start(em, letters=False)]
    for used in range(total):
        for state in states if used == 0 else buckets[used].states():
            left = atoms & ~state.atoms
            places = places_after(state.levels)
            for element, size, best in order[next(atom for atom in order if left >> atom & 1)]:
                if element.atoms & ~left:
                    continue
                bucket = buckets[used + size]
                if state.score + best >= bucket.least:
                    _extend(state, places, element, element.choices, bucket)
    ends = [_ended(state) for state in (buckets[total].states() if total else states)]
    return sorted(ends, key=lambda path: -path.score)


@dataclass(frozen=True, slots=True)
class Lineup:
    """Symbols that are known to follow on each other, and how likely they are: only their levels are open.

    Attributes:
        states: the likeliest ones.
        beam: how many states are kept.
        places: of each state, where it may go on, once that was asked.
    """

    states: Sequence[_State]
    beam: int
    places: list[list[Place]] = field(default_factory=list)

    @classmethod
    def start(cls, *, em: float, beam: int, letters: bool) -> Lineup:
        """Return the beginning of a row.

        Args:
            em: about how high digits are, in pixels.
            beam: how many states are kept.
            letters: whether the line has any elsewhere.
        """
        return cls([_start(em, letters=letters)], beam)

    def and_then(self, element: Element, choice: Choice) -> Lineup:
        """Return the same with one more symbol."""
        if not self.places:
            self.places.extend(places_after(state.levels) for state in self.states)
        bucket = _Bucket(self.beam)
        for state, places in zip(self.states, self.places, strict=True):
            _extend(state, places, element, (choice,), bucket)
        return Lineup(bucket.states(), self.beam)

    def score(self) -> float:
        """Return the log-likelihood of the row that ends here, but for a constant."""
        return max(_score(state) for state in self.states)


def _by_first_atom(
    elements: Sequence[Element], atoms: int, keys: Sequence[float]
) -> dict[int, list[tuple[Element, int, float]]]:
    """List the elements of each atom, the atoms from left to right; with each its atoms and the most that it brings."""
    order: dict[int, list[tuple[Element, int, float]]] = {
        atom: [] for atom in sorted(_atoms(atoms), key=keys.__getitem__)
    }
    for element in elements:
        if not element.atoms & ~atoms:
            looks = max(choice.score + choice.extra + max(0.0, choice.raised) for choice in element.choices)
            paid = FIRST_LETTER if element.letters else 0.0
            known = (element, element.atoms.bit_count(), looks - paid + _BEST_PLACE - UNEXPLAINED)
            for atom in _atoms(element.atoms):
                order[atom].append(known)
    return order


def _atoms(bits: int) -> list[int]:
    return [i for i in range(bits.bit_length()) if bits >> i & 1]


def _start(em: float, *, letters: bool) -> _State:
    level = Level.of_row(em=em)
    return _State(0.0, 0, (level,), ((level.kind, 0),), None, letters)


def _extend(
    state: _State, places: Sequence[Place], element: Element, choices: Sequence[Choice], bucket: _Bucket
) -> None:
    """Add every way in which an element can go on a state.

    What a place costs is the ratio of its likelihood to that of any symbol on any level. Without that, a superscript,
    whose place is less certain, would cost more than to take it for a part of its neighbour.
    """
    middle, log_size = element.middle, element.log_size
    any_symbol = 1e-9
    for level, _, _, _, _, anything, size, size_share, per_em, middle_share in places:
        miss = log_size - size
        tail = 1 + miss * miss * size_share
        miss = (middle - level.axis) * per_em
        tail *= 1 + miss * miss * middle_share
        any_symbol += anything / (tail * tail * sqrt(tail))
    # Where nothing explains the place, that costs.
    so_far = state.score - max(log(any_symbol), UNEXPLAINED)
    first_letter = FIRST_LETTER
    if state.letters:
        first_letter = 0.0
        if element.letters:
            so_far -= FIRST_LETTER  # which the fraction has paid by itself
    least = bucket.least
    ways: list[_Way] = []
    for place in places:
        (axis, axis_variance, log_em, log_em_variance, before, _, _), depth, prior, cost, costs, *_ = place
        base = so_far + prior + cost
        begins = depth > 0 and before == START
        for choice in choices:
            _, kind, looks, extra, choice_middle, middle_variance, choice_size, size_variance, raised = choice
            score = base + looks + extra + costs.get(kind, 0.0)
            if begins:
                score += raised
            if kind == "letter":
                score += first_letter
            if score + _BEST_PLACE < least:
                continue
            # This runs thousands of times a picture: the two likelihoods, of size and middle, share one logarithm.
            variance = log_em_variance + size_variance
            miss = log_size - log_em - choice_size
            square = miss * miss
            tail = 1 + square / (FREEDOM * variance)
            if axis_variance == 0.0:
                unlikely = variance * _SIZE_UNITS
            else:
                unlikely = variance * _UNITS
                gain = log_em_variance * (FREEDOM + 1) / ((FREEDOM + 1) * variance + square)
                variance = axis_variance + middle_variance
                miss = (middle - axis) / exp(log_em + gain * miss) + choice_middle
                tail *= 1 + miss * miss / (FREEDOM * variance)
                unlikely *= variance
            square = tail * tail
            score -= 0.5 * log(square * square * tail * unlikely)
            if score >= least:
                ways.append((score, state, element, choice, place))
    bucket.add(ways)


def _reached(way: _Way) -> _State:
    """Return the state that a way leads to."""
    score, state, element, choice, place = way
    after = place.level.after(element, choice)
    depth = place.depth
    levels = (*state.levels[:depth], after)
    marks = (*state.marks[:depth], (after.kind, after.open))
    trail = (state.trail, element, choice, depth)
    letters = state.letters or _has_letters(element, choice)
    return _State(score, state.atoms | element.atoms, levels, marks, trail, letters)


def _score(state: _State) -> float:
    return state.score + sum(level.closed() for level in state.levels)


def _ended(state: _State) -> Path:
    steps = []
    trail = state.trail
    while trail is not None:
        trail, element, choice, depth = trail
        steps.append(Step(element, choice, depth))
    return Path(_score(state), tuple(reversed(steps)), state.letters)
