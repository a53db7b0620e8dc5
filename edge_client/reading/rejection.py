"""What is no maths: ink that no symbol explains well is left alone, and nothing is invented."""

from __future__ import annotations

from math import log, log1p

from edge_client.reading.element import Path, Step
from edge_client.reading.habits import habit
from edge_client.reading.layout import TEMPERATURE, in_reading_order, log_softmax

# Of 300 pictures of expressions, one line in a hundred has less; of the lines that were read from drawn doodles (waves,
# spirals, scribbles, faces, stars), a half. Many symbols in a row are no accident.
_LEAST_SCORE = (-1.0, -1.8)  # nats a symbol, of the whole reading: of few symbols, and of many
_LEAST_LIKENESS = (-1.75, -2.3)  # nats a symbol, of its shape alone
_FEW = 3
_STROKES = frozenset({"-", "(", ")", "forward_slash", ".", ",", "prime", "ascii_124"})
_ANY_ASPECT = frozenset({"1", *_STROKES})  # labels whose ratio of the sides says little


def is_maths(path: Path) -> bool:
    """Say whether a line's likeliest reading is likely at all.

    A line that is nothing but a stroke or two is none: any scratch would be one.
    """
    steps = in_reading_order(path)
    if len(steps) <= 2 and all(step.choice.label in _STROKES for step in steps):
        return False
    likeness = sum(_likeness(step) for step in steps) / len(steps)
    many = len(steps) > _FEW
    return path.score / len(steps) > _LEAST_SCORE[many] and likeness > _LEAST_LIKENESS[many]


def _likeness(step: Step) -> float:
    """Return how much ink looks like a symbol: how surely it is read, and whether its sides are in proportion."""
    candidate, label = step.element.candidate, step.choice.label
    if candidate.logits is None:
        return 0.0
    read = float(log_softmax(candidate.logits / TEMPERATURE).max())
    if label in _ANY_ASPECT:
        return read
    known = habit(label)
    miss = (log(candidate.ink.width / candidate.ink.height) - known.aspect) / known.aspect_spread
    return read + min(0.0, 0.5 - 2.5 * log1p(miss * miss / 4))
