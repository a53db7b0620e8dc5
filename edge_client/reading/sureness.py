"""How sure each symbol of a line is, with its context: what it was read as, against what else it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from edge_client.reading.element import Choice, Path, Step
from edge_client.reading.layout import log_softmax
from edge_client.reading.search import read_row
from edge_client.reading.well_formed import FRACTION, UNBALANCED

Shares = dict[str, float]
"""By label: how likely a symbol is that, the likeliest first. They add up to 1."""

_FAR = 5.0  # nats that a label looks less likely by: the context is not asked about it
_BEFORE, _AFTER = 2, 1  # symbols on the same row that say what one is
_BEAM = 2  # only the levels are open


def sureness(path: Path, *, labels: Sequence[str], em: float) -> list[Shares]:
    """Return how likely the labels of every symbol are, in reading order.

    Each is asked about by itself, with the others as they were read; only their levels are left open: a 2 is no
    superscript after ×, but may be one after x. The label that the search chose comes first, and nothing is likelier.

    Args:
        path: the likeliest reading of a line.
        labels: the classes of the logits.
        em: as the search had it, about how high digits are, in pixels.
    """
    found = []
    for k, step in enumerate(path.steps):
        weights = {step.choice.label: 1.0}
        looks = step.choice.score + step.choice.extra
        rivals = [choice for choice in step.element.choices if choice.score + choice.extra > looks - _FAR]
        as_chosen = _score(path, k, step.choice, em=em) if len(rivals) > 1 else 0.0
        for choice in rivals:
            if choice.label not in weights:
                weights[choice.label] = exp(min(0.0, _score(path, k, choice, em=em) - as_chosen))
        found.append(_shares(step, weights, labels))
        for part in (step.element.numerator, step.element.denominator):
            if part is not None:
                found.extend(sureness(part, labels=labels, em=em))
    return found


def _score(path: Path, k: int, choice: Choice, *, em: float) -> float:
    """Return the score of the row around the step ``k``, if that were a choice."""
    steps = list(path.steps)
    steps[k] = steps[k]._replace(choice=choice)
    near = steps[max(0, k - _BEFORE) : k + 1 + _AFTER]
    elements = [replace(step.element, choices=(step.choice,)) for step in near]
    atoms = 0
    keys = [0.0] * max(element.atoms for element in elements).bit_length()
    for place, element in enumerate(elements):
        atoms |= element.atoms
        for i in range(len(keys)):
            if element.atoms >> i & 1:
                keys[i] = float(place)
    score = read_row(elements, atoms=atoms, keys=keys, em=em, beam=_BEAM)[0].score
    # The partner of a bracket may be far away.
    return score + UNBALANCED * (_alone(steps) - _alone(near))


def _alone(steps: Sequence[Step]) -> int:
    """Count the brackets without a partner."""
    opened = closed = 0
    for step in steps:
        if step.choice.kind == "open":
            opened += 1
        elif step.choice.kind == "close" and opened:
            opened -= 1
        elif step.choice.kind == "close":
            closed += 1
    return opened + closed


def _shares(step: Step, weights: Shares, labels: Sequence[str]) -> Shares:
    """Add the labels that the context was not asked about, and let all add up to 1."""
    label = step.choice.label
    if step.choice.score == 0.0 and step.choice.kind != FRACTION:  # a person has said so
        return {label: 1.0} | dict.fromkeys((name for name in _ranked(step, labels) if name != label), 0.0)
    logits = step.element.candidate.logits
    assert logits is not None
    scores = log_softmax(logits)
    own = float(scores[labels.index(label)]) if label in labels else float(scores.max())
    least = min(weights.values())
    for other, score in zip(labels, scores.tolist(), strict=True):
        if other not in weights:
            weights[other] = min(least, exp(score - own))
    total = sum(weights.values())
    order = sorted(weights, key=lambda name: (name != label, -weights[name]))
    return {name: weights[name] / total for name in order}


def _ranked(step: Step, labels: Sequence[str]) -> list[str]:
    logits = step.element.candidate.logits
    assert logits is not None
    return [labels[i] for i in (-logits).argsort()]
