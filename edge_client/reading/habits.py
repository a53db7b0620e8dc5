"""How symbols sit on their line, and of how many pieces they are made: measured on CROHME's layouts.

A line has an axis, which is the middle of its digits, and an em, which is the mean height of its digits. Both were
fitted to every row of 1,421 expressions with layout truth (writers of test sets left out) by alternating robust least
squares; a label's figures are the median and the normalised median deviation over its occurrences.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import log
from typing import Literal

Stack = Literal["", "bars", "division"]
"""How the pieces of a candidate lie: flat strokes over each other, or a flat stroke between two dots."""


@dataclass(frozen=True)
class Habit:
    """Where a label's symbols lie.

    Attributes:
        middle: of the box, above the axis, in em.
        middle_spread: its standard deviation, in em.
        size: the longer side of the box, in em.
        size_spread: the standard deviation of the size's logarithm.
        aspect: the logarithm of width over height of the box.
        aspect_spread: its standard deviation.
    """

    middle: float
    middle_spread: float
    size: float
    size_spread: float
    aspect: float
    aspect_spread: float


_UNKNOWN = Habit(0.0, 0.2, 1.0, 0.35, 0.0, 0.6)

# Spreads under 0.09 and 0.18 are of labels with few writers; they are raised to that.
_HABITS = {
    "0": Habit(-0.05, 0.11, 0.82, 0.30, -0.24, 0.31),
    "1": Habit(-0.02, 0.12, 0.96, 0.23, -1.26, 0.76),
    "2": Habit(-0.04, 0.09, 0.88, 0.28, -0.01, 0.32),
    "3": Habit(-0.01, 0.14, 1.02, 0.20, -0.45, 0.28),
    "4": Habit(-0.03, 0.09, 1.01, 0.18, -0.29, 0.28),
    "5": Habit(0.08, 0.09, 1.07, 0.18, -0.21, 0.33),
    "6": Habit(0.05, 0.15, 1.04, 0.18, -0.57, 0.26),
    "7": Habit(0.00, 0.15, 1.06, 0.18, -0.46, 0.30),
    "8": Habit(-0.01, 0.11, 1.06, 0.18, -0.51, 0.19),
    "9": Habit(0.02, 0.16, 1.12, 0.18, -0.61, 0.23),
    "+": Habit(-0.06, 0.09, 0.66, 0.31, -0.07, 0.26),
    "-": Habit(-0.06, 0.13, 0.53, 0.35, 1.78, 0.74),
    "times": Habit(-0.06, 0.09, 0.62, 0.25, -0.14, 0.19),
    "=": Habit(-0.03, 0.09, 0.54, 0.42, 0.62, 0.37),
    "(": Habit(-0.00, 0.14, 1.44, 0.29, -1.25, 0.37),
    ")": Habit(0.00, 0.14, 1.50, 0.29, -1.27, 0.36),
    # Six of five writers: the medians are theirs, the first two spreads those of a bracket.
    "forward_slash": Habit(0.06, 0.14, 1.20, 0.29, -0.51, 0.41),
    "x": Habit(-0.09, 0.11, 0.78, 0.18, -0.06, 0.26),
    "y": Habit(-0.35, 0.23, 1.20, 0.23, -0.55, 0.30),
    "z": Habit(-0.10, 0.09, 0.79, 0.18, -0.12, 0.28),
    "a": Habit(-0.14, 0.11, 0.79, 0.30, 0.11, 0.30),
    "b": Habit(0.08, 0.11, 1.17, 0.18, -0.65, 0.30),
    "c": Habit(-0.10, 0.11, 0.73, 0.28, -0.08, 0.27),
    "!": Habit(0.02, 0.13, 1.00, 0.18, -1.78, 0.41),
    ",": Habit(-0.54, 0.15, 0.38, 0.40, -1.14, 0.35),
    ".": Habit(-0.23, 0.18, 0.07, 0.82, 0.00, 0.33),
    "[": Habit(-0.04, 0.10, 2.25, 0.23, -0.94, 0.34),
    "]": Habit(-0.02, 0.19, 2.20, 0.24, -1.22, 0.32),
    "{": Habit(-0.02, 0.09, 2.20, 0.18, -1.29, 0.33),
    "}": Habit(0.05, 0.18, 2.13, 0.18, -1.42, 0.34),
    "ascii_124": Habit(0.04, 0.18, 1.43, 0.18, -2.12, 0.53),
    "A": Habit(-0.05, 0.09, 1.05, 0.18, -0.46, 0.24),
    "B": Habit(-0.00, 0.09, 1.26, 0.18, -0.52, 0.26),
    "C": Habit(0.05, 0.13, 1.15, 0.19, -0.31, 0.25),
    "E": Habit(0.06, 0.20, 1.29, 0.18, -0.30, 0.26),
    "F": Habit(0.04, 0.16, 1.54, 0.18, -0.47, 0.19),
    "H": Habit(0.09, 0.14, 1.24, 0.18, -0.37, 0.18),
    "V": Habit(0.08, 0.14, 1.32, 0.46, -0.37, 0.23),
    "X": Habit(-0.05, 0.17, 1.32, 0.23, -0.24, 0.25),
    "Y": Habit(0.03, 0.09, 1.21, 0.18, -0.52, 0.18),
    "d": Habit(0.15, 0.09, 1.17, 0.18, -0.58, 0.24),
    "e": Habit(-0.13, 0.12, 0.76, 0.24, -0.08, 0.26),
    "f": Habit(0.08, 0.19, 1.93, 0.19, -0.79, 0.32),
    "g": Habit(-0.53, 0.21, 1.11, 0.34, -0.58, 0.28),
    "h": Habit(0.13, 0.22, 1.29, 0.25, -0.57, 0.23),
    "i": Habit(0.08, 0.15, 1.09, 0.18, -0.76, 0.54),
    "j": Habit(-0.15, 0.16, 1.29, 0.20, -0.84, 0.28),
    "k": Habit(0.03, 0.11, 1.16, 0.18, -0.43, 0.26),
    "m": Habit(-0.15, 0.12, 0.96, 0.28, 0.38, 0.30),
    "n": Habit(-0.09, 0.09, 0.72, 0.18, -0.07, 0.32),
    "r": Habit(-0.10, 0.09, 0.72, 0.18, -0.30, 0.26),
    "s": Habit(-0.15, 0.09, 0.84, 0.51, -0.26, 0.31),
    "t": Habit(0.07, 0.09, 1.04, 0.25, -0.31, 0.33),
    "v": Habit(0.03, 0.13, 0.71, 0.18, -0.16, 0.37),
    "alpha": Habit(-0.03, 0.15, 0.92, 0.28, -0.07, 0.29),
    "beta": Habit(-0.20, 0.23, 1.57, 0.18, -0.73, 0.29),
    "theta": Habit(0.02, 0.13, 1.06, 0.18, -0.34, 0.22),
    "pi": Habit(-0.07, 0.09, 1.02, 0.35, 0.15, 0.27),
    "sin": Habit(-0.05, 0.18, 1.66, 0.18, 0.49, 0.21),
    "cos": Habit(-0.11, 0.14, 1.73, 0.18, 0.76, 0.20),
    "tan": Habit(0.03, 0.09, 1.87, 0.18, 0.62, 0.24),
    "log": Habit(-0.24, 0.20, 1.94, 0.18, -0.19, 0.19),
    "sum": Habit(0.04, 0.18, 1.49, 0.28, -0.05, 0.32),
    "int": Habit(0.09, 0.29, 2.72, 0.36, -1.07, 0.35),
    "leq": Habit(0.05, 0.21, 0.81, 0.42, 0.01, 0.25),
    "geq": Habit(0.07, 0.21, 0.72, 0.18, -0.09, 0.43),
    "lt": Habit(-0.02, 0.09, 0.82, 0.18, 0.03, 0.34),
}

FRACTION = Habit(-0.01, 0.17, 1.25, 0.5, 2.4, 0.7)
"""Of a fraction's bar."""

# How often a label's ink falls apart, with strokes drawn 0.06 to 0.1 em wide. Labels that are not named are one piece
# but for a broken stroke.
_PIECES: dict[str, tuple[float, float, float]] = {
    "=": (0.13, 0.86, 0.01), "div": (0.05, 0.1, 0.85), "i": (0.04, 0.95, 0.01), "j": (0.02, 0.97, 0.01),
    "x": (0.94, 0.06, 0.002), "y": (0.98, 0.02, 0.002), "7": (0.96, 0.04, 0.002), "5": (0.96, 0.04, 0.002),
    "4": (0.99, 0.01, 0.002), "z": (0.99, 0.01, 0.002), "+": (0.99, 0.01, 0.002), "times": (0.98, 0.02, 0.002),
    "!": (0.05, 0.94, 0.01), "pi": (0.57, 0.3, 0.13), "leq": (0.03, 0.96, 0.01), "geq": (0.1, 0.89, 0.01),
    "neq": (0.6, 0.3, 0.1), "pm": (0.6, 0.39, 0.01), "F": (0.74, 0.23, 0.03), "E": (0.8, 0.1, 0.1),
    "A": (0.97, 0.03, 0.002), "H": (0.85, 0.14, 0.01), "k": (0.94, 0.06, 0.002), "rightarrow": (0.72, 0.27, 0.01),
    "sum": (0.87, 0.1, 0.03), "sin": (0.02, 0.1, 0.88), "cos": (0.04, 0.3, 0.66), "tan": (0.19, 0.41, 0.4),
    "log": (0.14, 0.27, 0.59), "lim": (0.05, 0.25, 0.7), "ldots": (0.01, 0.04, 0.95),
}  # fmt: skip
_ONE_PIECE = (0.993, 0.006, 0.001)
_STACKS: dict[str, Stack] = {"=": "bars", "div": "division"}
_ANY_PIECES = (0.94, 0.0074, 0.0027)


# How common labels are in expressions, in thousandths: those of CROHME, evened out where few writers wrote many.
_SHARES = {
    "-": 130, "2": 110, "1": 100, "x": 100, "+": 100, "=": 55, "3": 50, "(": 45, ")": 45, "0": 40, "y": 40, "4": 35,
    "5": 35, "a": 32, "6": 28, "7": 28, "8": 25, "9": 25, "b": 24, "times": 22, "z": 14, "c": 12, "div": 12,
    "forward_slash": 10,
}  # fmt: skip
_SELDOM = 6
# In those shares: others write other things, and weights that were trained on such expressions know them already. Of
# 0.25 to 0.8, the least reads most of 628 pictures of expressions, by half of the writers; it holds on the other half.
_TRUST = 0.25


# How much likelier a label is as the first of a superscript than elsewhere, in nats: counted in 4,479 different
# expressions of CROHME (those of test sets left out), with 60 more superscripts that begin with anything. What cannot
# begin a row at all is left to `edge_client.reading.well_formed`.
_RAISED = {
    "0": -1.23, "1": -1.39, "2": 2.32, "3": 1.17, "4": 0.26, "5": -0.03, "6": -0.72, "7": -1.04, "8": -1.08, "9": -1.66,
    "x": -0.72, "y": -0.80, "z": -0.64, "a": -1.34, "b": -1.00, "c": -0.57, "(": -1.58,
}  # fmt: skip


def raised(label: str) -> float:
    """Return how much likelier a label is as the first of a superscript than elsewhere, in nats."""
    return _RAISED.get(label, 0.0)


@cache
def commonness(label: str) -> float:
    """Return a label's prior: the logarithm of how common it is, but for a constant."""
    return _TRUST * log(_SHARES.get(label, _SELDOM) / 40)


def habit(label: str) -> Habit:
    """Return where a label's symbols lie; of a label that was not measured, something wide."""
    return _HABITS.get(label, _UNKNOWN)


@cache
def pieces(label: str, count: int, *, stack: Stack) -> float:
    """Return how much likelier, in nats, a label's ink than any comes in so many pieces; over three count as three.

    Args:
        label: the class.
        count: of pieces.
        stack: how they lie: signs of several flat strokes are nothing else.
    """
    at = min(count, 3) - 1
    habitual = _PIECES.get(label, _ONE_PIECE)
    if count > 1 and _STACKS.get(label, stack) != stack:
        habitual = _ONE_PIECE
    return log(habitual[at] / _ANY_PIECES[at])
