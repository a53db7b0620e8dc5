"""The likeliest way to read a row: which ink is a symbol, what it is, and what is raised, all decided together.

A beam search from left to right. A state has used up some atoms; the next element is one that holds the leftmost of
those that are left. What a step costs is the sum of how the ink looks (the classifier), how it lies (a Student-t
likelihood of its middle and its size on the line as far as it is known, a scalar Kalman filter per level), and whether
a well-formed expression goes on like that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p
from typing import Any, NamedTuple

from edge_client.reading.element import Choice, Element, Path, Step
from edge_client.reading.well_formed import END, START, STAYS_RAISED, UNBALANCED, follows, raised_share

BEAM = 12
_MARGIN = 14.0  # nats below the best; a state so far behind does not recover
_DEEPEST = 3  # superscripts in superscripts

_FREEDOM = 4.0  # of the Student-t: handwriting has outliers
_TAIL = (_FREEDOM + 1) / 2
_MIDDLE_UNIT, _SIZE_UNIT = 0.12, 0.25  # typical spreads: a step that lies as most do costs about nothing
_MIDDLE_DRIFT, _SIZE_DRIFT = 0.05**2, 0.07**2  # of a line, from symbol to symbol
_FIRST_SIZE = 0.45**2  # the variance of a first symbol's logarithmic size
_UNEXPLAINED = -3.5  # the log-likelihood of a place that has nothing to do with the line
_ANY_SIZE, _ANY_SIZE_VARIANCE, _ANY_MIDDLE_VARIANCE = -0.15, 0.4**2, 0.16**2
_STAYS, _LEAVES = log(STAYS_RAISED), log1p(-STAYS_RAISED)

# Superscripts on CROHME: by kind of base, how far the axis rises (in em; of a closing bracket or a fraction, above its
# top) and by what factor the em shrinks, each with the normalised median deviation.
_RISE = {"digit": (0.64, 0.21), "letter": (0.52, 0.20)}
_RISE_OVER_TOP = (0.11, 0.21)
_SHRINK = {"digit": (-0.41, 0.33), "letter": (-0.62, 0.29)}
_SHRINK_OTHERS = (-0.50, 0.36)


class _Level(NamedTuple):
    axis: float
    axis_variance: float
    log_em: float
    log_em_variance: float
    kind: str
    open: int
    top: float


class _State(NamedTuple):
    score: float
    atoms: int
    levels: tuple[_Level, ...]
    trail: Any


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
    start = _Level(0.0, 0.0, log(em), _FIRST_SIZE, START, 0, 0.0)
    agenda: dict[int, list[_State]] = {0: [_State(0.0, 0, (start,), None)]}
    total = atoms.bit_count()
    for used in range(total):
        for state in _pruned(agenda.pop(used, []), beam):
            left = atoms & ~state.atoms
            for element in order[next(atom for atom in order if left >> atom & 1)]:
                if element.atoms & ~left:
                    continue
                bucket = agenda.setdefault((state.atoms | element.atoms).bit_count(), [])
                _extend(state, element, bucket)
    ends = [_ended(state) for state in _pruned(agenda.get(total, []), beam)]
    return sorted(ends, key=lambda path: -path.score)


def _by_first_atom(elements: Sequence[Element], atoms: int, keys: Sequence[float]) -> dict[int, list[Element]]:
    """List the elements of each atom, the atoms from left to right."""
    order: dict[int, list[Element]] = {atom: [] for atom in sorted(_atoms(atoms), key=keys.__getitem__)}
    for element in elements:
        if not element.atoms & ~atoms:
            for atom in _atoms(element.atoms):
                order[atom].append(element)
    return order


def _atoms(bits: int) -> list[int]:
    return [i for i in range(bits.bit_length()) if bits >> i & 1]


def _pruned(states: list[_State], beam: int) -> list[_State]:
    """Keep the best states, and of those that go on alike only the best."""
    states.sort(key=lambda state: -state.score)
    kept: list[_State] = []
    seen = set()
    for state in states:
        if state.score < states[0].score - _MARGIN or len(kept) == beam:
            break
        what = state.trail[2].label if state.trail else ""
        key = (state.atoms, what, tuple((level.kind, level.open) for level in state.levels))
        if key not in seen:
            seen.add(key)
            kept.append(state)
    return kept


def _extend(state: _State, element: Element, bucket: list[_State]) -> None:
    """Append every way in which an element can go on a state.

    What a place costs is the ratio of its likelihood to that of any symbol on any level. Without that, a superscript,
    whose place is less certain, would cost more than to take it for a part of its neighbour.
    """
    levels = state.levels
    last = len(levels) - 1
    ways: list[tuple[float, float, _Level, Choice, int]] = []
    any_symbol = 1e-9
    closed = 0.0
    for depth in range(last, -1, -1):
        level = levels[depth]
        if depth == last:
            share = raised_share(level.kind) if last < _DEEPEST else 0.0
            prior = log1p(-share) + (_STAYS if depth else 0.0)
            if share:
                raised = _raised(level)
                _place(ways, raised, element, depth + 1, prior=log(share), cost=0.0)
                any_symbol += share * _any_likelihood(raised, element)
        else:
            prior = _LEAVES + (_STAYS if depth else 0.0)
        _place(ways, level, element, depth, prior=prior, cost=closed)
        any_symbol += exp(prior) * _any_likelihood(level, element)
        closed += _closed(level)
    # Where nothing explains the place, that costs.
    total = max(log(any_symbol), _UNEXPLAINED)
    atoms = state.atoms | element.atoms
    for likelihood, cost, after, choice, depth in ways:
        score = state.score + likelihood - total + cost + choice.extra
        trail = (state.trail, element, choice, depth)
        bucket.append(_State(score, atoms, (*levels[:depth], after), trail))


def _place(
    ways: list[tuple[float, float, _Level, Choice, int]],
    level: _Level,
    element: Element,
    depth: int,
    *,
    prior: float,
    cost: float,
) -> None:
    """Append every choice of an element on a level: its likelihood, what it costs, and the level after it."""
    first = level.axis_variance == 0.0
    for choice in element.choices:
        size_variance = level.log_em_variance + choice.size_spread**2
        size_miss = element.log_size - level.log_em - choice.log_size
        likelihood = prior + choice.score + _student(size_miss, size_variance, _SIZE_UNIT)
        gain = level.log_em_variance / size_variance * _trust(size_miss, size_variance)
        log_em = level.log_em + gain * size_miss
        log_em_variance = level.log_em_variance * (1 - gain) + _SIZE_DRIFT
        em = exp(log_em)
        if first:
            axis, axis_variance = element.middle + choice.middle * em, choice.spread**2 + _MIDDLE_DRIFT
        else:
            variance = level.axis_variance + choice.spread**2
            miss = (element.middle - level.axis) / em + choice.middle
            likelihood += _student(miss, variance, _MIDDLE_UNIT)
            gain = level.axis_variance / variance * _trust(miss, variance)
            axis = level.axis + gain * miss * em
            axis_variance = level.axis_variance * (1 - gain) + _MIDDLE_DRIFT
        paid = cost + follows(level.kind, choice.kind)
        brackets = level.open
        if choice.kind == "open":
            brackets += 1
        elif choice.kind == "close":
            if brackets:
                brackets -= 1
            else:
                paid += UNBALANCED
        after = _Level(axis, axis_variance, log_em, log_em_variance, choice.kind, brackets, element.top)
        ways.append((likelihood, paid, after, choice, depth))


def _any_likelihood(level: _Level, element: Element) -> float:
    """Return the likelihood of an element's place on a level where nothing is known of its label."""
    size_miss = element.log_size - level.log_em - _ANY_SIZE
    likelihood = _student(size_miss, level.log_em_variance + _ANY_SIZE_VARIANCE, _SIZE_UNIT)
    if level.axis_variance > 0.0:
        miss = (element.middle - level.axis) / exp(level.log_em)
        likelihood += _student(miss, level.axis_variance + _ANY_MIDDLE_VARIANCE, _MIDDLE_UNIT)
    return exp(likelihood)


def _raised(level: _Level) -> _Level:
    """Return the level of a superscript on the last symbol of a level."""
    em = exp(level.log_em)
    shrink, shrink_spread = _SHRINK.get(level.kind, _SHRINK_OTHERS)
    if level.kind in _RISE:
        rise, spread = _RISE[level.kind]
        axis = level.axis - rise * em
    else:
        rise, spread = _RISE_OVER_TOP
        axis = level.top - rise * em
    # Spreads are in em of the superscript from here on.
    spread *= exp(-shrink)
    return _Level(
        axis, spread**2 + 1e-6, level.log_em + shrink, level.log_em_variance + shrink_spread**2, START, 0, level.top
    )


def _closed(level: _Level) -> float:
    return follows(level.kind, END) + level.open * UNBALANCED


def _ended(state: _State) -> Path:
    score = state.score + sum(_closed(level) for level in state.levels)
    steps = []
    trail = state.trail
    while trail is not None:
        trail, element, choice, depth = trail
        steps.append(Step(element, choice, depth))
    return Path(score, tuple(reversed(steps)))


def _student(miss: float, variance: float, unit: float) -> float:
    return -_TAIL * log1p(miss * miss / (_FREEDOM * variance)) - 0.5 * log(variance / (unit * unit))


def _trust(miss: float, variance: float) -> float:
    """Return how much of a surprise is believed: the weight of a Student-t's residual."""
    return (_FREEDOM + 1) / (_FREEDOM + 1 + miss * miss / variance)
