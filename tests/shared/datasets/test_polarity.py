"""Deciding how a set looks: once, for all its pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.datasets.polarity import JUDGED, judge, spread

Grey = NDArray[np.uint8]


def stroke(side: int, *, paper: int, ink: int, at: int, thick: int = 3) -> Grey:
    image = np.full((side, side), paper, np.uint8)
    image[2:-2, at : at + thick] = ink
    return image


@settings(deadline=None, max_examples=60)
@given(
    paper=st.integers(0, 255),
    ink=st.integers(0, 255),
    sides=st.lists(st.integers(12, 60), min_size=3, max_size=12),
    tight=st.integers(0, 1),
)
def test_paper_and_ink_are_told_apart_at_any_levels(paper: int, ink: int, sides: list[int], tight: int) -> None:
    """Whatever the grey levels, ink becomes ink, even when some pictures are cropped to solid ink."""
    if abs(paper - ink) < 60:
        return
    pictures = [stroke(side, paper=paper, ink=ink, at=side // 2) for side in sides]
    if tight:
        solid = np.full((10, 30), ink, np.uint8)
        solid[0, 0] = paper
        pictures.append(solid)
    look = judge(pictures)
    assert look.dark_ink is (ink < paper)
    for side, picture in zip(sides, pictures, strict=False):
        sample = look.sample(picture)
        assert sample is not None
        assert sample.max() >= 200
        assert np.median(sample) < 40, side


def test_blank_pictures_have_no_say() -> None:
    """Ten black frames do not make three pages of dark ink light."""
    pictures = [np.zeros((20, 20), np.uint8)] * 10 + [stroke(20, paper=255, ink=0, at=i) for i in (5, 6, 7)]
    look = judge(pictures)
    assert look.dark_ink
    assert look.sample(pictures[0]) is None


def test_a_set_of_blank_pictures_is_judged_without_fault() -> None:
    """With nothing to see there is still an answer."""
    assert judge([np.zeros((5, 5), np.uint8)]).dark_ink
    assert judge([]).dark_ink


def test_grey_photographs_become_black_and_white() -> None:
    """Paper of 190 and ink of 70 become paper 0 and ink 255, with the grain of the paper below the ink's threshold."""
    rng = np.random.default_rng(2)
    pictures = [
        np.clip(stroke(50, paper=190, ink=70, at=20 + i) + rng.normal(0, 4, (50, 50)), 0, 255).astype(np.uint8)
        for i in range(9)
    ]
    look = judge(pictures)
    sample = look.sample(pictures[0])
    assert sample is not None
    assert sample.max() > 240
    assert (sample[:, :10] < 40).all()


def test_samples_of_an_array_are_those_of_its_pictures() -> None:
    """The way through a whole array gives what the way through single pictures gives."""
    pictures = np.stack([stroke(30, paper=0, ink=255, at=i) for i in range(5, 20)])
    pictures[3] = 0
    look = judge(list(pictures))
    samples, inked = look.samples(pictures)
    assert inked.tolist() == [i != 3 for i in range(15)]
    one_by_one = [look.sample(picture) for picture in pictures]
    assert np.array_equal(samples, np.stack([sample for sample in one_by_one if sample is not None]))


@pytest.mark.parametrize("count", [0, 1, 10, JUDGED, JUDGED + 1, 100_000])
def test_the_judged_are_spread_over_the_set(count: int) -> None:
    """At most so many, from the first to the last, without one twice."""
    chosen = spread(count)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, JUDGED)
    if count:
        assert (chosen[0], chosen[-1]) == (0, count - 1)
