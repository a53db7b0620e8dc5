"""The layout of one line: fractions inside each other, and in each of their rows the likeliest reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from math import log
from operator import or_

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.reading.element import Candidate, Choice, Element, Path, Step, sorting_key
from edge_client.reading.fractions import Division, divisions, is_flat
from edge_client.reading.habits import FRACTION as FRACTION_HABIT
from edge_client.reading.habits import commonness, habit, pieces, raised
from edge_client.reading.search import read_row
from edge_client.reading.well_formed import FIRST_LETTER, FRACTION, kind
from edge_client.vision.ink import InkPart

TEMPERATURE = 1.2
"""Of the classifier: its logits are divided by it, for it is surer than it is right."""

_FEW = 5  # labels of one candidate that are looked at
_FAR = 8.0  # nats below the best label: not looked at
# How much likelier ink is a whole symbol than any other ink, by the score of its best label: pieces of symbols and
# pairs of them are read with less confidence. Logarithms of the ratio of histograms over 7,476 candidates.
_BEST_SCORE = (-2.0, -1.4, -1.0, -0.6, -0.1, -0.03, -0.01)
_IS_SYMBOL = (-1.8, -1.3, -0.95, -0.4, -0.2, 0.4, 0.95)
_LEAST_BAR = -2.5  # a bar that does not look like a minus is still a bar


@dataclass(frozen=True, eq=False)
class LineInk:
    """The ink of one line, and what its symbols may be.

    Attributes:
        atoms: the smallest pieces.
        components: the connected components, as bit sets of atoms: a bar divides whole ones.
        candidates: all that may be one symbol; they were read.
        em: about how high digits are, in pixels.
        labels: the classes of the logits.
        fixed: labels that a person has said, by atom.
    """

    atoms: Sequence[InkPart]
    components: frozenset[int]
    candidates: Sequence[Candidate]
    em: float
    labels: Sequence[str]
    fixed: Mapping[int, str]


def lay_out(line: LineInk) -> Path:
    """Return the likeliest reading of a line."""
    elements = [
        _element(candidate, choices) for candidate, choices in zip(line.candidates, _choices(line), strict=True)
    ]
    return _parsed(line, elements, (1 << len(line.atoms)) - 1)


def _parsed(line: LineInk, elements: Sequence[Element], atoms: int) -> Path:
    inside = [element for element in elements if not element.atoms & ~atoms]
    whole = [element for element in inside if element.atoms in line.components]
    fractions = []
    for division in divisions(
        [element.candidate.ink for element in whole], [_may_divide(e) for e in whole], em=line.em
    ):
        fraction = _fraction(line, inside, whole, division)
        fractions.append(fraction)
        # What a bar divides is not read as if it stood on the row, but for a division sign.
        inside = [
            element
            for element in inside
            if not element.atoms & fraction.atoms
            or (element.atoms == fraction.atoms and element.choices[0].label == "div")
        ]
    keys = [sorting_key(ink) for ink in line.atoms]
    for fraction in fractions:
        # Nothing of a fraction comes before its bar.
        bar = sorting_key(fraction.candidate.ink)
        for i in range(len(keys)):
            if fraction.atoms >> i & 1:
                keys[i] = bar
    return read_row([*inside, *fractions], atoms=atoms, keys=keys, em=line.em)[0]


def _may_divide(element: Element) -> bool:
    ink = element.candidate.ink
    said = len(element.choices) == 1 and element.choices[0].label != "-"
    return is_flat(ink) and not said


def _fraction(line: LineInk, elements: Sequence[Element], whole: Sequence[Element], division: Division) -> Element:
    own = whole[division.bar]
    above, below = _atoms(whole, division.above), _atoms(whole, division.below)
    numerator, denominator = _parsed(line, elements, above), _parsed(line, elements, below)
    as_minus = max((choice.score for choice in own.choices if choice.label == "-"), default=_LEAST_BAR)
    divided = max(as_minus, _LEAST_BAR) + numerator.score + denominator.score
    if numerator.letters and denominator.letters:
        divided -= FIRST_LETTER  # which both have paid
    choice = Choice("-", FRACTION, 0.0, divided, *_lies(FRACTION))
    return Element(
        atoms=own.atoms | above | below,
        top=min(whole[i].top for i in division.above),
        middle=own.middle,
        log_size=own.log_size,
        choices=(choice,),
        candidate=own.candidate,
        numerator=numerator,
        denominator=denominator,
        letters=numerator.letters or denominator.letters,
    )


def _atoms(elements: Sequence[Element], indices: Sequence[int]) -> int:
    return reduce(or_, (elements[i].atoms for i in indices))


def _element(candidate: Candidate, choices: tuple[Choice, ...]) -> Element:
    ink = candidate.ink
    width, height = ink.width, ink.height
    return Element(
        atoms=candidate.atoms,
        top=ink.y,
        middle=ink.y + height / 2,
        log_size=log(max(width, height)),
        choices=choices,
        candidate=candidate,
    )


def _choices(line: LineInk) -> list[tuple[Choice, ...]]:
    """Return what each candidate may be, the likeliest first."""
    said = [_said(candidate, line) for candidate in line.candidates]
    unsaid = [candidate for candidate, label in zip(line.candidates, said, strict=True) if label is None]
    read = iter(_read_as(unsaid, line.labels) if unsaid else ())
    return [next(read) if label is None else (Choice(label, kind(label), 0.0, 0.0, *_lies(label)),) for label in said]


def _said(candidate: Candidate, line: LineInk) -> str | None:
    return line.fixed.get(candidate.atoms.bit_length() - 1) if candidate.atoms.bit_count() == 1 else None


def _read_as(candidates: Sequence[Candidate], labels: Sequence[str]) -> Iterator[tuple[Choice, ...]]:
    logits = [candidate.logits for candidate in candidates if candidate.logits is not None]
    scores = log_softmax(np.stack(logits) / np.float32(TEMPERATURE))
    order = np.argsort(-scores, axis=1)[:, :_FEW]
    ranked = np.take_along_axis(scores, order, axis=1)
    whole = np.interp(ranked[:, 0], _BEST_SCORE, _IS_SYMBOL)
    every = zip(candidates, order.tolist(), ranked.tolist(), whole.tolist(), strict=True)
    for candidate, indices, likely, symbol in every:
        made = []
        for i, score in zip(indices, likely, strict=True):
            if score < likely[0] - _FAR:
                break
            label = labels[i]
            fit = pieces(label, candidate.pieces, stack=candidate.stack) + commonness(label)
            made.append(Choice(label, kind(label), score, candidate.link + symbol + fit, *_lies(label)))
        yield tuple(made)


@cache
def _lies(label: str) -> tuple[float, float, float, float, float]:
    known = FRACTION_HABIT if label == FRACTION else habit(label)
    return known.middle, known.middle_spread**2, log(known.size), known.size_spread**2, raised(label)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logarithms of the probabilities, along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float32] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def in_reading_order(path: Path) -> list[Step]:
    """List the symbols of a path; a fraction's bar comes before its numerator, and that before its denominator."""
    steps = []
    for step in path.steps:
        steps.append(step)
        for part in (step.element.numerator, step.element.denominator):
            if part is not None:
                steps.extend(in_reading_order(part))
    return steps


def row_of_path(path: Path, *, first: int = 0) -> Row:
    """Nest what a path says flatly; symbols are numbered in reading order from ``first``."""
    row, _, _ = _nested(path.steps, 0, 0, first)
    return row


def _nested(steps: Sequence[Step], at: int, depth: int, number: int) -> tuple[Row, int, int]:
    row: list[Sign | Raised | Bar] = []
    while at < len(steps) and steps[at].depth >= depth:
        step = steps[at]
        if step.depth > depth:
            inner, at, number = _nested(steps, at, depth + 1, number)
            row.append(Raised(inner))
            continue
        element, symbol = step.element, number
        number += 1
        at += 1
        if element.numerator is None or element.denominator is None:
            row.append(Sign(step.choice.label, symbol))
            continue
        numerator, _, number = _nested(element.numerator.steps, 0, 0, number)
        denominator, _, number = _nested(element.denominator.steps, 0, 0, number)
        row.append(Bar(numerator, denominator, symbol))
    return tuple(row), at, number
