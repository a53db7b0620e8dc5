"""What a superscript is likely to be."""

from __future__ import annotations

import numpy as np
import pytest

from edge_client.reading.element import Candidate, Path
from edge_client.reading.layout import LineInk, lay_out
from edge_client.vision.ink import InkPart

LABELS = ("x", "2", "z", "6", "+")
EM = 100.0


def read(*symbols: tuple[dict[str, float], int, int, int]) -> Path:
    """Read symbols from left to right, each with how likely its labels look, its middle row, width and height."""
    inks, found, x = [], [], 0
    for i, (look, middle, width, height) in enumerate(symbols):
        ink = InkPart(np.full((height, width), 255, np.uint8), x, middle - height // 2)
        rest = (1 - sum(look.values())) / (len(LABELS) - len(look))
        logits = np.log([look.get(label, rest) for label in LABELS]).astype(np.float32)
        inks.append(ink)
        found.append(Candidate(1 << i, ink, 0.0, 1, logits=logits))
        x += width + 20
    return lay_out(LineInk(inks, frozenset(1 << i for i in range(len(inks))), found, EM, LABELS, {}))


LETTER = ({"x": 0.99}, 100, 75, 75)
PLUS = ({"+": 0.99}, 100, 60, 60)
DOUBTFUL = {"z": 0.7, "2": 0.28}


@pytest.mark.parametrize("base", [LETTER, ({"6": 0.99}, 100, 60, 100)])
def test_what_may_be_a_z_or_a_2_is_a_2_where_it_is_raised(base: tuple[dict[str, float], int, int, int]) -> None:
    """Few exponents are letters, and most of all are 2."""
    last = read(base, (DOUBTFUL, 45, 42, 50)).steps[-1]
    assert (last.choice.label, last.depth) == ("2", 1)


def test_on_the_line_it_is_what_it_looks_like() -> None:
    """What is said of superscripts has no say there."""
    last = read(LETTER, PLUS, (DOUBTFUL, 100, 75, 78)).steps[-1]
    assert (last.choice.label, last.depth) == ("z", 0)


def test_only_the_first_of_a_superscript_is_likelier_a_2() -> None:
    """After a plus in it anything may follow, as on the line."""
    steps = read(
        LETTER, ({"6": 0.99}, 45, 36, 50), ({"+": 0.99}, 45, 36, 36), ({"z": 0.9, "2": 0.09}, 45, 40, 42)
    ).steps
    assert [step.depth for step in steps] == [0, 1, 1, 1]
    assert steps[-1].choice.label == "z"
