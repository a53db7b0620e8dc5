"""What a row can be made of: ink that may be one symbol, or a fraction, with what either may be called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.habits import Stack
from edge_client.vision.ink import InkPart

_KEY = 0.35  # of the width: reading order by this point is wrong for 7 of 8,928 neighbours in CROHME


class Choice(NamedTuple):
    """One thing that an element may be.

    Attributes:
        label: its class.
        kind: of `edge_client.reading.well_formed`.
        score: the logarithm of how likely the ink looks like that, by its shape alone.
        extra: what else speaks for it: of a fraction, the scores of what it divides.
        middle: of `Habit`.
        middle_variance: of that.
        log_size: the logarithm of `Habit`'s ``size``.
        size_variance: of that.
        raised: how much likelier it is as the first of a superscript than elsewhere, in nats.
    """

    label: str
    kind: str
    score: float
    extra: float
    middle: float
    middle_variance: float
    log_size: float
    size_variance: float
    raised: float


@dataclass(slots=True, eq=False)
class Candidate:
    """Ink that may be one symbol.

    Attributes:
        atoms: the smallest pieces of ink that it is made of, as a bit set.
        ink: on the page.
        link: the log-odds that its atoms belong together; 0 for a single one.
        pieces: how many connected components it has.
        stack: how those lie.
        logits: of the classes, ``(classes,) float32``, once it was read.
        sample: as it was read, ``(45, 45) uint8``.
    """

    atoms: int
    ink: InkPart
    link: float
    pieces: int
    stack: Stack = ""
    logits: NDArray[np.float32] | None = None
    sample: NDArray[np.uint8] | None = None


@dataclass(slots=True, eq=False)
class Element:
    """Something that takes one place on a row.

    Attributes:
        atoms: what it uses up, as a bit set.
        top: the first row of its box; of a fraction, that of its numerator.
        middle: the row of the middle of its box; of a fraction, that of its bar.
        log_size: the logarithm of the longer side of its box in pixels; of a fraction, that of its bar.
        choices: the likeliest first; never empty.
        candidate: its ink; of a fraction, the bar's.
        numerator: what is over the bar; None unless it is a fraction.
        denominator: what is under the bar.
        letters: whether a letter is over or under the bar.
    """

    atoms: int
    top: int
    middle: float
    log_size: float
    choices: tuple[Choice, ...]
    candidate: Candidate
    numerator: Path | None = None
    denominator: Path | None = None
    letters: bool = False


class Step(NamedTuple):
    """One element on a row, what it was taken for, and how often it is raised."""

    element: Element
    choice: Choice
    depth: int


@dataclass(frozen=True, slots=True)
class Path:
    """One way to read a row.

    Attributes:
        score: a log-likelihood but for a constant.
        steps: from left to right.
        letters: whether any of it is a letter.
    """

    score: float
    steps: tuple[Step, ...]
    letters: bool = False


def sorting_key(ink: InkPart) -> float:
    """Return the column that ink is sorted by on its row."""
    return ink.x + _KEY * ink.width
