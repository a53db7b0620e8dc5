"""The canonical sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from shared.errors import DataError
from shared.sample import INK_THRESHOLD, SIDE, as_input, canonical_sample, fit, ink_box, spans

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
@given(st.integers(30, 300), st.integers(30, 300), st.integers(1, 20), st.integers(0, 30), st.integers(0, 30))
def test_a_cross_fills_the_sample_whatever_the_pen(height: int, width: int, pen: int, top: int, left: int) -> None:
    """Ink 1 to 20 pixels wide on symbols 30 to 300 high gives lines of a pixel that span the sample.

    Where the symbol lay does not matter, and proportions are those of the middle lines.
    """
    pen = min(pen, min(height, width) // 4)
    picture = np.zeros((height + top + 9, width + left + 9), np.uint8)
    picture[top + (height - pen) // 2 :, left : left + width][:pen] = 255
    picture[top : top + height, left + (width - pen) // 2 :][:, :pen] = 255
    sample = canonical_sample(picture)
    assert spans(sample)
    box = ink_box(sample)
    assert box is not None
    scale = (SIDE - 1) / max(height - pen, width - pen)
    assert abs(box[2] - 1 - (width - pen) * scale) <= 4
    assert abs(box[3] - 1 - (height - pen) * scale) <= 4
    assert np.count_nonzero(sample) <= 1.4 * (box[2] + box[3])


def test_a_blot_stays_a_dot() -> None:
    """Ink as thick as it is long is a small mark in the middle, not the scrawl that its middle line would grow to."""
    row, column = np.mgrid[-30:31, -30:31]
    for radius in (2, 5, 12, 30):
        box = ink_box(canonical_sample(((row**2 + column**2 <= radius**2) * 255).astype(np.uint8)))
        assert box is not None
        assert max(box[2:]) <= 20


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
    samples[1, 22, 1:44] = 255
    given_to_network = as_input(samples)
    assert given_to_network.shape == (2, SIDE, SIDE, 1)
    assert given_to_network.dtype == np.float32
    assert (given_to_network.min(), given_to_network.max()) == (0.0, 1.0)
    with pytest.raises(DataError, match="expected samples"):
        as_input(samples[0])
