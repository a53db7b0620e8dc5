"""How sure each symbol of a line is, with its context: what it was read as, against what else it may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from edge_client.reading.element import Choice, Path, Step
from edge_client.reading.layout import log_softmax
from edge_client.reading.search import Lineup
from edge_client.reading.well_formed import FRACTION, UNBALANCED

Shares = dict[str, float]
"""By label: how likely a symbol is that, the likeliest first. They add up to 1."""

_FAR = 5.0  # nats that a label looks less likely by: the context is not asked about it
_BEFORE, _AFTER = 2, 1  # symbols on the same row that say what one is
_BEAM = 2  # only the levels are open


def sureness(path: Path, *, labels: Sequence[str], em: float, letters: bool = False) -> list[Shares]:
    """Return how likely the labels of every symbol are, in reading order.

    Each is asked about by itself, with the others as they were read; only their levels are left open: a 2 is no
    superscript after ×, but may be one after x. The label that the search chose comes first, and nothing is likelier.

    Args:
        path: the likeliest reading of a line.
        labels: the classes of the logits.
        em: as the search had it, about how high digits are, in pixels.
        letters: whether there are any beside the path.
    """
    found = []
    having = [step.element.letters or step.choice.kind == "letter" for step in path.steps]
    for k, step in enumerate(path.steps):
        beside = letters or any(having[:k]) or any(having[k + 1 :])
        weights = {step.choice.label: 1.0}
        looks = step.choice.score + step.choice.extra
        rivals = [choice for choice in step.element.choices if choice.score + choice.extra > looks - _FAR]
        if len(rivals) > 1:
            before = Lineup.start(em=em, beam=_BEAM, letters=beside)
            for near in path.steps[max(0, k - _BEFORE) : k]:
                before = before.and_then(near.element, near.choice)
            as_chosen = _score(path, k, step.choice, before)
            for choice in rivals:
                if choice.label not in weights:
                    weights[choice.label] = exp(min(0.0, _score(path, k, choice, before) - as_chosen))
        found.append(_shares(step, weights, labels))
        over, under = step.element.numerator, step.element.denominator
        if over is not None and under is not None:
            found.extend(sureness(over, labels=labels, em=em, letters=beside or under.letters))
            found.extend(sureness(under, labels=labels, em=em, letters=beside or over.letters))
    return found


def _score(path: Path, k: int, choice: Choice, before: Lineup) -> float:
    """Return the score of the row around the step ``k``, if that were a choice; given what is before it."""
    steps = path.steps
    lineup = before.and_then(steps[k].element, choice)
    for near in steps[k + 1 : k + 1 + _AFTER]:
        lineup = lineup.and_then(near.element, near.choice)
    # The partner of a bracket may be far away.
    kinds = [step.choice.kind for step in steps]
    kinds[k] = choice.kind
    far = _alone(kinds) - _alone(kinds[max(0, k - _BEFORE) : k + 1 + _AFTER])
    return lineup.score() + UNBALANCED * far


def _alone(kinds: Sequence[str]) -> int:
    """Count the brackets without a partner."""
    opened = closed = 0
    for kind in kinds:
        if kind == "open":
            opened += 1
        elif kind == "close" and opened:
            opened -= 1
        elif kind == "close":
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
