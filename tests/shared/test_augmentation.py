"""Augmentation."""

from __future__ import annotations

import numpy as np
import pytest

from shared.augmentation import varied
from shared.handwriting import generate
from shared.standard_pen import InkPoints


@pytest.fixture(scope="module")
def points() -> InkPoints:
    return InkPoints.of(generate(["2", "5", "x", "="], writers=3, samples_per_writer=16, seed=3).images)


def test_the_same_generator_gives_the_same_points(points: InkPoints) -> None:
    """What is drawn decides all: the same twice, something else the next time, and each sample changes its own way."""
    rng = np.random.default_rng(5)
    first = varied(points, strength=1, rng=np.random.default_rng(5)).drawn()
    assert np.array_equal(varied(points, strength=1, rng=rng).drawn(), first)
    assert not np.array_equal(varied(points, strength=1, rng=rng).drawn(), first)
    twice = points.take(np.zeros(2, np.intp))
    one, other = varied(twice, strength=1, rng=rng).drawn()
    assert not np.array_equal(one, other)


def test_no_strength_draws_nothing(points: InkPoints) -> None:
    """At strength 0 the points are the same and the generator is not touched."""
    rng = np.random.default_rng(5)
    assert varied(points, strength=0, rng=rng) is points
    assert rng.random() == np.random.default_rng(5).random()


def test_more_strength_moves_points_further(points: InkPoints) -> None:
    """Points move by pixels, in proportion to the strength, and nearly all ink stays in the picture."""
    moved = []
    for strength in (0.25, 0.5, 1.0):
        changed = varied(points, strength=strength, rng=np.random.default_rng(5))
        moved.append(float(np.hypot(changed.x - points.x, changed.y - points.y).mean()))
        assert changed.drawn().sum() > 0.9 * points.drawn().sum()
    assert moved[0] < moved[1] < moved[2] < 6
    assert moved[2] > 1.5
    assert moved[0] == pytest.approx(moved[2] / 4, rel=0.2)
