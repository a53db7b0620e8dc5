"""The standard pen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.handwriting import generate
from shared.sample import as_input, canonical_samples
from shared.standard_pen import SIDE, SPAN, InkPoints


def zigzag(*, width: int) -> NDArray[np.uint8]:
    """A z of straight lines in a picture of 200×200."""
    picture = np.zeros((200, 200), np.uint8)
    path = np.array([[40, 40], [160, 40], [40, 160], [160, 160]], np.int32)
    cv2.polylines(picture, [path], False, 255, width)
    return picture


def test_the_pen_does_not_show() -> None:
    """Ink of 1 to 20 pixels on a symbol of 120 reaches the network as nearly the same picture."""
    thin, *others = as_input(canonical_samples([zigzag(width=width) for width in (1, 3, 6, 10, 15, 20)]))
    for other in others:
        assert np.abs(other - thin).mean() < 0.35 * thin.mean()  # a shift by half a line would be 0.5 and more
    darkness = [float(picture.sum()) for picture in (thin, *others)]
    assert max(darkness) < 1.15 * min(darkness)


@pytest.mark.parametrize("width", [3, 5, 8])
def test_a_thick_sample_is_drawn_as_a_thin_one(width: int) -> None:
    """A sample of 45×45 that an older dataset drew thick fills the picture after thinning too, with the same pen."""
    sample = np.zeros((1, SIDE, SIDE), np.uint8)
    half = width // 2
    path = np.array([[half, half], [44 - half, half], [half, 44 - half], [44 - half, 44 - half]], np.int32)
    cv2.polylines(sample[0], [path], False, 255, width)
    points = InkPoints.of(sample)
    assert np.ptp(points.x) == pytest.approx(SPAN, abs=0.01)
    assert abs(float(points.x.max() + points.x.min())) < 0.01
    line = points.drawn()[0, :, :, 0]
    assert 2.0 <= line[:, 22].sum() / 3 <= 4.0  # three lines cross the middle column


def test_a_batch_is_drawn_as_its_samples_are() -> None:
    """Points of many samples, blank ones among them, are those of each; a choice of them keeps their order."""
    images = generate(["2", "+", "x"], writers=2, samples_per_writer=6, seed=3).images
    images[4] = 0
    together = InkPoints.of(images)
    assert len(together) == 12
    drawn = together.drawn()
    assert drawn.dtype == np.float32
    assert not drawn[4].any()
    chosen = np.array([7, 4, 0, 7])
    assert np.array_equal(together.take(chosen).drawn(), drawn[chosen])
    for i in range(12):
        assert np.array_equal(InkPoints.of(images[i : i + 1]).drawn()[0], drawn[i])
    assert InkPoints.of(images[:0]).drawn().shape == (0, SIDE, SIDE, 1)


def test_points_outside_leave_no_ink() -> None:
    """A symbol that was moved out of the picture leaves it blank, and disturbs no other sample."""
    points = InkPoints.of(generate(["2"], writers=1, samples_per_writer=3, seed=3).images)
    away = np.float32(200) * (points.sample_of_point() == 1)
    before = points.drawn()
    for right, down in ((away, 0 * away), (-away, 0 * away), (0 * away, away), (away, -away)):
        drawn = InkPoints(points.x + right, points.y + down, points.starts).drawn()
        assert not drawn[1].any()
        assert np.array_equal(drawn[[0, 2]], before[[0, 2]])


def test_points_are_scaled_around_the_middle() -> None:
    """Drawn smaller, a symbol spans so much less of the picture, and stays where its middle was."""
    points = InkPoints.of(canonical_samples([zigzag(width=6)]))
    full, small = (np.argwhere(points.scaled(factor).drawn()[0, :, :, 0] > 0.5) for factor in (1.0, 0.8))
    assert np.ptp(full, axis=0) - np.ptp(small, axis=0) == pytest.approx([0.2 * SPAN] * 2, abs=1.5)
    assert (small.min(axis=0) + small.max(axis=0)) / 2 == pytest.approx([(SIDE - 1) / 2] * 2, abs=1)
    assert points.scaled(1.0) is points
