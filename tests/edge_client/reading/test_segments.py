"""What ink is joined and cut to before anything is decided."""

from __future__ import annotations

import numpy as np
import pytest

from edge_client.reading.bars import freed
from edge_client.reading.cuts import cut
from edge_client.reading.fractions import divisions, is_flat
from edge_client.reading.links import candidates, link
from edge_client.vision.ink import InkPart, united
from tests.edge_client.reading.written import inks_of, page_of, write

EM = 60.0


def stroke(x: int, y: int, width: int, height: int) -> InkPart:
    return InkPart(np.full((height, width), 255, np.uint8), x, y)


def overlap(a: InkPart, b: InkPart) -> float:
    """How much of the ink of both is common, as a share of all of it."""
    both = united([a, b])
    common = a.area + b.area - both.area
    return common / both.area


def test_two_flat_strokes_over_each_other_are_likelier_one_symbol_than_two_digits() -> None:
    """The strokes of = belong together, whatever stands beside."""
    upper, lower = stroke(0, 0, 40, 6), stroke(2, 20, 38, 6)
    left, right = stroke(0, 0, 8, 60), stroke(30, 0, 40, 60)
    assert link(upper, lower, em=EM) > 3
    assert link(left, right, em=EM) < -2


@pytest.mark.parametrize(("text", "pieces"), [("1=2", 2), ("8:4", 3)])
def test_signs_of_several_strokes_are_candidates_whole(text: str, pieces: int) -> None:
    """= and ÷ are among the candidates, with all of their strokes."""
    written = write(text)
    page = page_of(written)
    sign = inks_of(written)[0][1]
    found = candidates(page.parts, em=EM)
    whole = [one for one in found if one.pieces == pieces and overlap(one.ink, sign) > 0.95]
    assert whole
    assert whole[0].stack == ("bars" if pieces == 2 else "division")


def test_a_division_sign_is_no_fraction_of_dots() -> None:
    """A bar with dots on either side divides nothing; with symbols it does."""
    bar = stroke(0, 40, 60, 6)
    dots = [stroke(26, 24, 8, 8), stroke(26, 56, 8, 8)]
    symbols = [stroke(15, 0, 30, 36), stroke(15, 52, 30, 36)]
    assert divisions([bar, *dots], [True, False, False], em=EM) == []
    (found,) = divisions([bar, *symbols], [True, False, False], em=EM)
    assert (found.bar, found.above, found.below) == (0, (1,), (2,))


def test_a_wide_symbol_is_no_bar() -> None:
    """Only what is one stroke at almost every column is flat."""
    wave = np.zeros((20, 60), np.uint8)
    wave[:3] = wave[-3:] = 255
    assert not is_flat(InkPart(wave, 0, 0))
    assert is_flat(stroke(0, 0, 60, 6))


@pytest.mark.parametrize("pair", ["2x", "7x", "36", "4x", "x+"])
def test_touching_symbols_can_be_cut_into_what_they_are(pair: str) -> None:
    """Among the ways to cut there is one that gives each of two symbols back but for a few pixels."""
    left, right = write(pair, seed=4)
    box, other = left.box, right.box
    touching = [left, right.moved(box[2] - other[0] - 4, 0)]
    inks, _, _ = inks_of(touching)
    page = page_of(touching)
    assert len(page.parts) == 1
    cutting = cut(page.parts[0], em=EM)
    assert cutting is not None
    for ink in inks:
        best = max(
            overlap(united([piece for i, piece in enumerate(cutting.pieces) if group >> i & 1]), ink)
            for group in cutting.groups
        )
        assert best > 0.6


def test_the_pieces_of_a_cut_are_the_ink() -> None:
    """Cutting loses no ink and doubles none."""
    (plus,) = page_of(write("+")).parts
    cutting = cut(plus, em=EM)
    assert cutting is not None
    assert sum(piece.area for piece in cutting.pieces) == plus.area
    assert np.array_equal(united(cutting.pieces).mask, plus.mask)


def test_a_bar_that_a_digit_touches_is_freed() -> None:
    """The bar comes out whole, and the digit too; a plus is left in one piece."""
    bar, five, *under = write("{5|12}", seed=4)
    touching = five.moved(0, bar.box[1] - five.box[3] - 1)
    page = page_of([bar, touching, *under])
    assert len(page.parts) == 3
    found = freed(page.parts, em=EM, ink_width=5)
    assert found is not None
    for ink in inks_of([bar, touching, *under])[0]:
        assert max(overlap(part, ink) for part in found) > 0.7
    (plus,) = page_of(write("+")).parts
    assert freed([plus], em=EM, ink_width=5) is None
