"""Levels of a row: the line, and every superscript that is open on it, each as far as its axis and size are known.

A level's axis and the logarithm of its em are two scalar Kalman filters. Residuals are Student-t, for handwriting has
outliers: a surprise moves the level less than a Gaussian's would.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

from edge_client.reading.element import Choice, Element
from edge_client.reading.well_formed import END, START, STAYS_RAISED, UNBALANCED, costs_after, follows, raised_share

FREEDOM = 4.0  # of the Student-t
MIDDLE_UNIT, SIZE_UNIT = 0.12, 0.25  # typical spreads: a step that lies as most do costs about nothing
UNEXPLAINED = -3.5  # the log-likelihood of a place that has nothing to do with the line

_MIDDLE_DRIFT, _SIZE_DRIFT = 0.05**2, 0.07**2  # of a line, from symbol to symbol
_ANY_SIZE, _ANY_SIZE_VARIANCE, _ANY_MIDDLE_VARIANCE = -0.15, 0.4**2, 0.16**2  # of symbols of any label
_FIRST_SIZE = 0.45**2  # the variance of a first symbol's logarithmic size
_DEEPEST = 3  # superscripts in superscripts

# Superscripts on CROHME: by kind of base, how far the axis rises (in em; of a closing bracket or a fraction, above its
# top) and by what factor the em shrinks, each with the normalised median deviation.
_RISE = {"digit": (0.64, 0.21), "letter": (0.52, 0.20)}
_RISE_OVER_TOP = (0.11, 0.21)
_SHRINK = {"digit": (-0.41, 0.33), "letter": (-0.62, 0.29)}
_SHRINK_OTHERS = (-0.50, 0.36)


class Level(NamedTuple):
    """What is known of one level.

    Attributes:
        axis: the row of the middle of its digits.
        axis_variance: in em²; 0 before the first symbol, whose place tells the axis.
        log_em: the logarithm of the height of its digits in pixels.
        log_em_variance: of that.
        kind: of its last symbol.
        open: brackets that are.
        top: the first row of its last symbol.
    """

    axis: float
    axis_variance: float
    log_em: float
    log_em_variance: float
    kind: str
    open: int
    top: float

    @classmethod
    def of_row(cls, *, em: float) -> Level:
        """Return the level of a row on which nothing stands yet."""
        return cls(0.0, 0.0, log(em), _FIRST_SIZE, START, 0, 0.0)

    def raised(self) -> Level:
        """Return the level of a superscript on the last symbol."""
        em = exp(self.log_em)
        shrink, shrink_spread = _SHRINK.get(self.kind, _SHRINK_OTHERS)
        if self.kind in _RISE:
            rise, spread = _RISE[self.kind]
            axis = self.axis - rise * em
        else:
            rise, spread = _RISE_OVER_TOP
            axis = self.top - rise * em
        # Spreads are in em of the superscript from here on.
        spread *= exp(-shrink)
        log_em_variance = self.log_em_variance + shrink_spread**2
        return Level(axis, spread**2 + 1e-6, self.log_em + shrink, log_em_variance, START, 0, self.top)

    def after(self, element: Element, choice: Choice) -> Level:
        """Return the level when one more symbol stands on it."""
        variance = self.log_em_variance + choice.size_variance
        miss = element.log_size - self.log_em - choice.log_size
        gain = _gain(self.log_em_variance, variance, miss)
        log_em = self.log_em + gain * miss
        log_em_variance = self.log_em_variance * (1 - gain) + _SIZE_DRIFT
        em = exp(log_em)
        if self.axis_variance == 0.0:
            axis, axis_variance = element.middle + choice.middle * em, choice.middle_variance + _MIDDLE_DRIFT
        else:
            variance = self.axis_variance + choice.middle_variance
            miss = (element.middle - self.axis) / em + choice.middle
            gain = _gain(self.axis_variance, variance, miss)
            axis = self.axis + gain * miss * em
            axis_variance = self.axis_variance * (1 - gain) + _MIDDLE_DRIFT
        brackets = open_after(self.open, choice.kind)
        return Level(axis, axis_variance, log_em, log_em_variance, choice.kind, brackets, element.top)

    def closed(self) -> float:
        """Return what it costs to end here."""
        return follows(self.kind, END) + self.open * UNBALANCED


def open_after(brackets: int, kind: str) -> int:
    """Return how many brackets are open after a symbol of a kind."""
    if kind == "open":
        return brackets + 1
    return max(0, brackets - 1) if kind == "close" else brackets


class Place(NamedTuple):
    """Where the next symbol may stand.

    Attributes:
        level: that it stands on.
        depth: how often it is raised there.
        prior: the log-probability of a symbol there, before its place is looked at.
        cost: of the levels that end with it.
        costs: of each kind of symbol, 0 where a kind is missing.
        anything: how likely a symbol of which nothing is known is there if it lies as most do.
        size: the logarithm of the longer side that most have, in pixels.
        size_share: of the square of a miss of that, in the Student-t.
        per_em: one over the em in pixels.
        middle_share: as ``size_share``, of the middle; 0 where the axis is not known.
    """

    level: Level
    depth: int
    prior: float
    cost: float
    costs: dict[str, float]
    anything: float
    size: float
    size_share: float
    per_em: float
    middle_share: float


def places_after(levels: tuple[Level, ...]) -> list[Place]:
    """List where the next symbol may stand: on the last symbol, beside it, or on a lower level."""
    last = len(levels) - 1
    level = levels[last]
    share = raised_share(level.kind) if last < _DEEPEST else 0.0
    found = []
    if share:
        found.append(_place(level.raised(), last + 1, share, 0.0))
    closed = 0.0
    chance = 1 - share
    for depth in range(last, -1, -1):
        level = levels[depth]
        found.append(_place(level, depth, chance * STAYS_RAISED if depth else chance, closed))
        if depth:
            closed += level.closed()
            chance = 1 - STAYS_RAISED
    return found


def _place(level: Level, depth: int, chance: float, cost: float) -> Place:
    size_variance = level.log_em_variance + _ANY_SIZE_VARIANCE
    unlikely = size_variance / SIZE_UNIT**2
    middle_share = 0.0
    if level.axis_variance > 0.0:
        middle_variance = level.axis_variance + _ANY_MIDDLE_VARIANCE
        unlikely *= middle_variance / MIDDLE_UNIT**2
        middle_share = 1 / (FREEDOM * middle_variance)
    return Place(
        level,
        depth,
        log(chance),
        cost,
        costs_after(level.kind, unopened=level.open == 0),
        chance / sqrt(unlikely),
        level.log_em + _ANY_SIZE,
        1 / (FREEDOM * size_variance),
        exp(-level.log_em),
        middle_share,
    )


def _gain(known: float, variance: float, miss: float) -> float:
    """Return the Kalman gain, times the weight of a Student-t's residual: how much of a surprise is believed."""
    return known * (FREEDOM + 1) / ((FREEDOM + 1) * variance + miss * miss)
