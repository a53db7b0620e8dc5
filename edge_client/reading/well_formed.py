"""How well a symbol follows another on a line of maths: what is well-formed costs nothing.

The costs are natural logarithms, relative to two symbols that have nothing to do with each other. They are round
figures, in the order of the ratio of observed to expected pairs in CROHME's rows where those were counted.
"""

from __future__ import annotations

from functools import cache
from typing import Final

START: Final = "start"
"""Before the first symbol of a row."""

END: Final = "end"
"""After the last one."""

FRACTION: Final = "fraction"
OTHER: Final = "other"

_KINDS = {
    "+": "plus", "-": "minus", "times": "times", "div": "times", "forward_slash": "times", "=": "equals",
    "(": "open", ")": "close",
}  # fmt: skip
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") | {
    "alpha", "beta", "gamma", "Delta", "theta", "lambda", "mu", "pi", "sigma", "phi", "infty",
}  # fmt: skip

# fmt: off
_COSTS: dict[str, dict[str, float]] = {
    START: {"minus": -0.7, "plus": -3.0, "times": -5.0, "equals": -5.0, "close": -6.0, END: -9.0},
    "digit": {"letter": -0.3, "open": -1.0, FRACTION: -1.2},
    "letter": {"digit": -3.5, "letter": -0.3, "times": -0.7, "open": -0.8, FRACTION: -1.5},
    "plus": {"minus": -3.0, "plus": -5.0, "times": -6.0, "equals": -6.0, "close": -6.0, END: -4.0},
    "minus": {"minus": -4.0, "plus": -5.0, "times": -6.0, "equals": -6.0, "close": -6.0, END: -4.0},
    "times": {"minus": -3.0, "plus": -5.0, "times": -6.0, "equals": -6.0, "close": -6.0, END: -4.0},
    "equals": {"minus": -0.3, "plus": -4.0, "times": -6.0, "equals": -6.0, "close": -6.0, END: -1.5},
    "open": {"minus": -0.5, "plus": -3.0, "times": -6.0, "equals": -6.0, "close": -6.0, END: -6.0},
    "close": {"digit": -3.0, "letter": -1.0, "open": -0.5, FRACTION: -1.5},
    FRACTION: {"digit": -3.0, "letter": -0.8, "open": -0.7, FRACTION: -2.5},
    OTHER: {},
}
# fmt: on

UNBALANCED = -4.0
"""The cost of a bracket without its partner."""

FIRST_LETTER = -1.0
"""The cost of the first letter of a line: most signs that look like one letter among numbers alone are none.

It tells ``12×(3-1)`` from ``12x(3-1)``. Of costs from 0 to 3 the one that reads most of 628 pictures of expressions, by
half of the writers, whichever the weights; it holds on those of the other half.
"""

_RAISED = {"letter": 0.25, "digit": 0.2, "close": 0.25, FRACTION: 0.02, OTHER: 0.02}
STAYS_RAISED = 0.35
"""The share of symbols in a superscript that another one of it follows."""


@cache
def kind(label: str) -> str:
    """Return what kind of symbol a label is."""
    if len(label) == 1 and label.isdigit():
        return "digit"
    if label in _LETTERS:
        return "letter"
    return _KINDS.get(label, OTHER)


def follows(left: str, right: str) -> float:
    """Return the cost, 0 or less, of one kind after another on the same row."""
    return _COSTS[left].get(right, 0.0)


@cache
def costs_after(left: str, *, unopened: bool) -> dict[str, float]:
    """Return what each kind costs after one on the same row; kinds that are missing cost nothing.

    Args:
        left: the kind before.
        unopened: no bracket is open, so that one that closes has no partner.
    """
    costs = dict(_COSTS[left])
    if unopened:
        costs["close"] = costs.get("close", 0.0) + UNBALANCED
    return costs


def raised_share(base: str) -> float:
    """Return the share of symbols of a kind that carry a superscript; 0 where none can."""
    return _RAISED.get(base, 0.0)
