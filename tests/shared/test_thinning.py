"""Thinning, held against a slow reading of the paper."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared.thinning import WIDEST, thin

PICTURES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 3), st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 1, 255]),
)


def by_the_paper(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Algorithm A1 of Guo and Hall, pixel by pixel."""
    ink = np.pad((picture > 0).astype(np.uint8), 1)
    unchanged = turn = 0
    while unchanged < 2:
        goes = []
        for y, x in zip(*np.nonzero(ink), strict=True):
            p2, p3, p4 = ink[y - 1, x], ink[y - 1, x + 1], ink[y, x + 1]
            p5, p6, p7 = ink[y + 1, x + 1], ink[y + 1, x], ink[y + 1, x - 1]
            p8, p9 = ink[y, x - 1], ink[y - 1, x - 1]
            runs = (
                int(not p2 and (p3 or p4))
                + int(not p4 and (p5 or p6))
                + int(not p6 and (p7 or p8))
                + int(not p8 and (p9 or p2))
            )
            first = int(p9 or p2) + int(p3 or p4) + int(p5 or p6) + int(p7 or p8)
            second = int(p2 or p3) + int(p4 or p5) + int(p6 or p7) + int(p8 or p9)
            side = (p6 or p7 or not p9) and p8 if turn else (p2 or p3 or not p5) and p4
            if runs == 1 and 2 <= min(first, second) <= 3 and not side:
                goes.append((y, x))
        for place in goes:
            ink[place] = 0
        unchanged = 0 if goes else unchanged + 1
        turn = 1 - turn
    return ink[1:-1, 1:-1]


@settings(deadline=None, max_examples=60)
@given(PICTURES)
def test_it_does_what_the_paper_says(pictures: NDArray[np.uint8]) -> None:
    """Words full of pixels give what the algorithm gives pixel by pixel, and every picture alone."""
    before = pictures.copy()
    thinned = thin(pictures)
    assert np.array_equal(pictures, before)
    for picture, line in zip(pictures, thinned, strict=True):
        assert np.array_equal(line, by_the_paper(picture))


@settings(deadline=None, max_examples=60)
@given(PICTURES)
def test_connected_ink_stays_connected(pictures: NDArray[np.uint8]) -> None:
    """As many connected parts come out as went in, none outside the ink, and thinning again changes nothing."""
    thinned = thin(pictures)
    assert np.all(thinned <= (pictures > 0))
    assert np.array_equal(thin(thinned), thinned)
    for picture, line in zip(pictures, thinned, strict=True):
        parts, _ = cv2.connectedComponents((picture > 0).astype(np.uint8), connectivity=8)
        assert cv2.connectedComponents(line, connectivity=8)[0] == parts


def test_a_picture_may_be_as_wide_as_a_word() -> None:
    """Ink in the first and last of 64 columns is thinned as elsewhere; a wider picture is refused."""
    bar = np.zeros((1, 9, WIDEST), np.uint8)
    bar[0, 2:7] = 255
    line = thin(bar)[0]
    assert line[:, 3:-3].sum(axis=0).tolist() == [1] * (WIDEST - 6)
    with pytest.raises(ValueError, match="at most 64 columns, got 65"):
        thin(np.zeros((1, 9, WIDEST + 1), np.uint8))


def test_many_pictures_are_thinned_as_one_is() -> None:
    """However many come at once, and in whichever part of the work they fall, the result is the same."""
    rng = np.random.default_rng(4)
    pictures = (rng.random((900, 45, 45)) < 0.6).astype(np.uint8)
    together = thin(pictures)
    for i in (0, 1, 347, 348, 349, 899):
        assert np.array_equal(together[i], thin(pictures[i : i + 1])[0])
