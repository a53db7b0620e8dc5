"""The canonical sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared.errors import DataError
from shared.sample import INK_THRESHOLD, SIDE, as_input, canonical_sample, fit, ink_box

PICTURES = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    elements=st.sampled_from([0, 0, 0, 10, 39, 40, 200, 255]),
    fill=st.just(0),
).filter(lambda picture: picture.max() >= INK_THRESHOLD)


@settings(deadline=None, max_examples=150)
@given(PICTURES)
def test_a_sample_has_the_shape_and_ink_of_one(picture: NDArray[np.uint8]) -> None:
    """Any picture with ink becomes 45×45 uint8 with ink on it, and the picture is not changed."""
    before = picture.copy()
    sample = canonical_sample(picture)
    assert sample.shape == (SIDE, SIDE)
    assert sample.dtype == np.uint8
    assert sample.max() >= INK_THRESHOLD
    assert np.array_equal(picture, before)


@settings(deadline=None, max_examples=80)
@given(st.integers(2, 150), st.integers(2, 150), st.integers(0, 30), st.integers(0, 30))
def test_a_block_of_ink_fills_the_sample_and_keeps_its_shape(height: int, width: int, top: int, left: int) -> None:
    """The longer side becomes 45, the other keeps its proportion to a pixel, and where it lay does not matter."""
    picture = np.zeros((height + top + 9, width + left + 9), np.uint8)
    picture[top : top + height, left : left + width] = 255
    box = ink_box(canonical_sample(picture))
    assert box is not None
    x, y, new_width, new_height = box
    assert max(new_width, new_height) == SIDE
    scale = SIDE / max(height, width)
    assert abs(new_width - width * scale) <= 1
    assert abs(new_height - height * scale) <= 1
    assert abs(2 * x + new_width - SIDE) <= 1
    assert abs(2 * y + new_height - SIDE) <= 1


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 44), st.integers(0, 44), st.integers(0, 1))
def test_a_canonical_sample_comes_back_unchanged(one: int, two: int, lost: int) -> None:
    """A thin line across the whole sample, or all but a pixel of it, is not scaled again."""
    sample = np.zeros((SIDE, SIDE), np.uint8)
    sample[lost:, 22] = 255
    sample[lost, min(one, two) // 2 : SIDE - min(one, two) // 2] = 255
    assert np.array_equal(canonical_sample(sample), sample)


def test_a_thin_line_in_a_large_picture_does_not_fade() -> None:
    """A line of 3 pixels in a picture of 2,000 is thinner than a pixel of the sample, and still full ink."""
    picture = np.zeros((2000, 2000), np.uint8)
    picture[100:1900, 998:1001] = 255
    picture[1000:1003, 300:1700] = 255
    assert canonical_sample(picture).max() == 255


@pytest.mark.parametrize(
    "picture",
    [np.zeros((9, 9), np.uint8), np.full((9, 9), INK_THRESHOLD - 1, np.uint8)],
)
def test_blank_paper_is_refused(picture: NDArray[np.uint8]) -> None:
    """A picture without ink is a data error, and has no box."""
    assert ink_box(picture) is None
    with pytest.raises(DataError, match="no ink"):
        canonical_sample(picture)


@pytest.mark.parametrize("shape", [(9,), (9, 9, 3), (9, 9, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """Only grey pictures are samples; the error says what came."""
    with pytest.raises(DataError, match="expected a grey"):
        canonical_sample(np.full(shape, 255, np.uint8))
    with pytest.raises(DataError, match="float64"):
        canonical_sample(np.ones((9, 9)))  # type: ignore[arg-type]


def test_the_box_counts_from_the_threshold() -> None:
    """Grey below the threshold is paper; the box is left, top, width, height."""
    picture = np.zeros((20, 30), np.uint8)
    picture[3:5, 7:11] = INK_THRESHOLD
    picture[0, 0] = INK_THRESHOLD - 1
    assert ink_box(picture) == (7, 3, 4, 2)


def test_fitting_keeps_a_line_of_one_pixel() -> None:
    """A crop one pixel high becomes a line, not nothing."""
    assert fit(np.full((1, 300), 255, np.uint8)).any(axis=1).sum() == 1


def test_input_lies_between_0_and_1() -> None:
    """Samples become float32 in [0, 1] with a channel; another shape is refused."""
    samples = np.zeros((2, SIDE, SIDE), np.uint8)
    samples[1] = 255
    given_to_network = as_input(samples)
    assert given_to_network.shape == (2, SIDE, SIDE, 1)
    assert given_to_network.dtype == np.float32
    assert (given_to_network.min(), given_to_network.max()) == (0.0, 1.0)
    with pytest.raises(DataError, match="expected samples"):
        as_input(samples[0])
