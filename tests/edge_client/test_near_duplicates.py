"""Near-duplicates: the same ink seen twice is known again, another writing of the same symbol is another sample."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.near_duplicates import ALIKE, alike, descriptors
from shared.handwriting.drawing import draw_sample
from shared.handwriting.pen import render_strokes
from shared.handwriting.writer import draw_writer

Strokes = list[NDArray[np.float64]]


def seen(strokes: Strokes, *, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The strokes as another frame of a camera has them: turned and stretched a little, bolder or finer."""
    turn = rng.normal(0, 0.012)
    look = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * rng.uniform(0.98, 1.02, 2)
    shaken = [stroke @ look + rng.normal(0, 0.4, stroke.shape) for stroke in strokes]
    return render_strokes(shaken, ink_width_px=2.5 * rng.uniform(0.9, 1.1))


def test_the_same_ink_is_known_again_and_another_writing_is_not() -> None:
    """Of digits seen twice nearly all are alike; of two writings by one hand nearly none are."""
    rng = np.random.default_rng(5)
    again, anew = [], []
    for index in range(12):
        writer = draw_writer(3, index)
        for label in "2345":
            one, two = (draw_sample(writer, label, rng) for _ in range(2))
            found = descriptors(np.stack([seen(one, rng=rng), seen(one, rng=rng), seen(two, rng=rng)]))
            again.append(alike(found[0], found[1:2]))
            anew.append(alike(found[0], found[2:]))
    assert np.mean(again) > 0.85
    assert np.mean(anew) < 0.2


def test_descriptors_correlate() -> None:
    """They are of mean 0 and length 1, so that a product is a correlation, whatever the contrast."""
    images = np.random.default_rng(1).integers(0, 120, (5, 45, 45), dtype=np.uint8)
    found = descriptors(np.concatenate([images, images * 2]))
    assert found.shape == (10, 225)
    assert np.abs(found.mean(axis=1)).max() < 1e-6
    assert (found[:5] * found[5:]).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_nothing_is_like_nothing() -> None:
    """Without others, and on blank paper, there is no likeness."""
    blank, other = descriptors(np.stack([np.zeros((45, 45), np.uint8), np.eye(45, dtype=np.uint8) * 255]))
    assert not alike(other, np.empty((0, 225), np.float32))
    assert not alike(blank, other[np.newaxis])
    assert 0 < ALIKE < 1
