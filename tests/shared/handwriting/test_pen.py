"""The pen: any strokes become a canonical sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared.errors import DataError
from shared.handwriting import render_strokes
from shared.sample import ink_box, spans

CROSS = [np.array([[0.0, 0.0], [10.0, 10.0]]), np.array([[0.0, 10.0], [10.0, 0.0]])]

coordinate = st.floats(-1e4, 1e4, allow_nan=False)
stroke = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=12).map(lambda p: np.array(p, np.float64))


@given(strokes=st.lists(stroke, min_size=1, max_size=4), width=st.floats(0.75, 9.0), gain=st.floats(1.0, 3.0))
def test_whatever_is_drawn_is_canonical(strokes: list[NDArray[np.float64]], width: float, gain: float) -> None:
    """The ink's longer side fills the sample, the box is centred, and cropping it again changes nothing."""
    image = render_strokes(strokes, ink_width_px=width, gain=gain)
    assert image.shape == (45, 45)
    assert image.dtype == np.uint8
    box = ink_box(image)
    assert box is not None
    assert max(box[2:]) == 45
    assert spans(image)


def test_position_and_size_do_not_count() -> None:
    """The same strokes in other units, elsewhere on the page, are the same sample."""
    moved = [points * 128.0 + np.array([4096.0, -512.0]) for points in CROSS]
    assert np.array_equal(render_strokes(CROSS, ink_width_px=2.0), render_strokes(moved, ink_width_px=2.0))


@pytest.mark.parametrize("width", [1.25, 1.75, 2.25, 3.25, 4.75])
def test_the_line_is_as_wide_as_asked(width: float) -> None:
    """A horizontal line covers its width in ink, to a quarter of a pixel."""
    image = render_strokes([np.array([[0.0, 0.0], [1.0, 0.0]])], ink_width_px=width)
    assert image[:, 22].sum() / 255 == pytest.approx(width, abs=0.26)


def test_pressure_varies_the_width_along_a_stroke() -> None:
    """Where the pen presses twice as hard, the line is about twice as wide."""
    line = np.stack([np.linspace(0.0, 1.0, 33), np.zeros(33)], axis=1)
    pressure = [np.linspace(0.5, 1.5, 33)]
    image = render_strokes([line], ink_width_px=4.0, pressure=pressure)
    assert image[:, 36].sum() > 1.6 * image[:, 8].sum()


@pytest.mark.parametrize("points", [[[5.0, 5.0]], [[5.0, 5.0], [5.0, 5.0]]])
def test_a_dot_is_a_disc_that_fills_the_sample(points: list[list[float]]) -> None:
    """Ink without extent is as round and large as a dot that is cut from a photograph."""
    image = render_strokes([np.array(points)], ink_width_px=1.0)
    assert ink_box(image) == (0, 0, 45, 45)
    assert image.sum() / 255 == pytest.approx(np.pi * 22.5**2, rel=0.03)


def test_another_side_gives_another_size() -> None:
    """A sample of 28 pixels is drawn at 28 pixels."""
    image = render_strokes(CROSS, ink_width_px=2.0, side=28)
    assert image.shape == (28, 28)
    assert image[0, 0] > 0
    assert image[27, 27] > 0


@pytest.mark.parametrize(
    ("strokes", "width", "message"),
    [
        ([], 1.0, "got none"),
        ([np.zeros((0, 2))], 1.0, r"stroke 0 of shape \(n, 2\)"),
        ([CROSS[0], np.zeros((3, 3))], 1.0, "stroke 1"),
        ([np.array([[0.0, np.nan]])], 1.0, "finite"),
        ([np.array([[0.0, np.inf], [1.0, 1.0]])], 1.0, "finite"),
        (CROSS, 0.2, "ink width"),
        (CROSS, 40.0, "ink width"),
    ],
)
def test_bad_strokes_are_refused(strokes: list[NDArray[np.float64]], width: float, message: str) -> None:
    """Strokes that cannot be drawn are refused with what was wrong."""
    with pytest.raises(DataError, match=message):
        render_strokes(strokes, ink_width_px=width)
