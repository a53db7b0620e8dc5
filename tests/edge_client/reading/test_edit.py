"""What a person does to ink."""

from __future__ import annotations

import numpy as np
import pytest

from edge_client.reading import split
from edge_client.vision.ink import InkPart, united


def test_ink_is_cut_at_its_gap() -> None:
    """Two strokes in one box come apart between them, each cut to its own box."""
    mask = np.zeros((30, 40), np.uint8)
    mask[5:20, :8] = mask[:, 30:] = 255
    left, right = split(InkPart(mask, 100, 50))
    assert left.box == (100, 55, 8, 15)
    assert right.box == (130, 50, 10, 30)


def test_ink_is_cut_where_a_person_says() -> None:
    """At a fraction of the width; both sides together are the ink."""
    ink = InkPart(np.full((10, 40), 255, np.uint8), 0, 0)
    left, right = split(ink, at=0.25)
    assert (left.width, right.width) == (10, 30)
    assert np.array_equal(united([left, right]).mask, ink.mask)


def test_an_empty_side_is_never_made() -> None:
    """A cut at the very end still leaves a column, and a place without ink beside it takes the nearest."""
    ink = InkPart(np.full((10, 40), 255, np.uint8), 0, 0)
    assert split(ink, at=0.0)[0].width == 1
    assert split(ink, at=1.0)[1].width == 1


def test_a_single_column_cannot_be_cut() -> None:
    """It says so."""
    with pytest.raises(ValueError, match="one pixel wide"):
        split(InkPart(np.full((10, 1), 255, np.uint8), 0, 0))
