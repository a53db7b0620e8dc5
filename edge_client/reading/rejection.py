"""What is no maths: ink that no symbol explains well is left alone, and nothing is invented."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import inf, log, log1p

from edge_client.reading.element import Path, Step
from edge_client.reading.habits import habit
from edge_client.reading.layout import TEMPERATURE, in_reading_order, log_softmax

# nats a symbol, of the whole reading, that lines of up to so many symbols have at least. The longer a line, the less
# it is an accident: of 300 pictures of expressions, one has less; of lines of printed prose and of drawn doodles
# (waves, spirals, scribbles, faces, stars), more than half.
_LEAST_SCORE = ((3, -1.0), (6, -1.3), (11, -0.8), (sys.maxsize, -0.45))
_LEAST_LIKENESS = (-1.75, -2.3)  # nats a symbol, of its shape alone: of few symbols, and of many
_FEW = 3
_SURE = 0.8  # nats a symbol: a line that is read so likely may have one symbol out of proportion
_ODD = 1.5  # nats that proportions cost there, at most
_PLAIN = 0.3  # nats a symbol: likelier than all but few lines of what is no maths
_MOSTLY_STROKES = 0.8  # of the symbols of a long line: the stems of printed letters are read as 1 and -
_LONG = 5
_PAGE_OF_TEXT = 3  # lines that are no maths, and more than are
_STROKES = frozenset({"-", "(", ")", "forward_slash", ".", ",", "prime", "ascii_124"})
_ANY_ASPECT = frozenset({"1", *_STROKES})  # labels whose ratio of the sides says little


def which_are_maths(paths: Sequence[Path]) -> list[bool]:
    """Say of every line of a page whether it is maths.

    Between lines of text, only what is plainly maths is believed to be.
    """
    found = [is_maths(path) for path in paths]
    others = found.count(False)
    if others < _PAGE_OF_TEXT or others <= found.count(True):
        return found
    return [one and _score(path) > _PLAIN for one, path in zip(found, paths, strict=True)]


def is_maths(path: Path) -> bool:
    """Say whether a line's likeliest reading is likely at all.

    A line that is nothing but a stroke or two is none: any scratch would be one. Nor is a long one that is almost
    nothing else, unless it is plainly maths.
    """
    steps = in_reading_order(path)
    score = _score(path)
    if len(steps) <= 2 and all(step.choice.label in _STROKES for step in steps):
        return False
    strokes = sum(step.choice.label in _ANY_ASPECT for step in steps)
    if len(steps) > _LONG and strokes > _MOSTLY_STROKES * len(steps) and score < _PLAIN:
        return False
    if score <= next(least for most, least in _LEAST_SCORE if len(steps) <= most):
        return False
    odd = _ODD if score > _SURE else inf
    likeness = sum(_likeness(step, most=odd) for step in steps) / len(steps)
    return likeness > _LEAST_LIKENESS[len(steps) > _FEW]


def _score(path: Path) -> float:
    return path.score / len(in_reading_order(path))


def _likeness(step: Step, *, most: float) -> float:
    """Return how much ink looks like a symbol: how surely it is read, and whether its sides are in proportion."""
    candidate, label = step.element.candidate, step.choice.label
    if candidate.logits is None:
        return 0.0
    read = float(log_softmax(candidate.logits / TEMPERATURE).max())
    if label in _ANY_ASPECT:
        return read
    known = habit(label)
    miss = (log(candidate.ink.width / candidate.ink.height) - known.aspect) / known.aspect_spread
    return read + max(-most, min(0.0, 0.5 - 2.5 * log1p(miss * miss / 4)))
