"""Pictures nobody would take on purpose: each is read in bounded time, and nothing is raised."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.reading.recogniser import open_recogniser
from edge_client.live.overlay import draw_reading
from edge_client.reading import Recogniser
from tests.reading_scenes import draw_scene

CPU_S = 40.0
"""Far more than any of them takes, and far less than a texture once took that was read symbol by symbol."""


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """The reader that ships."""
    return open_recogniser("algebra", weights=None)


def salt(height: int, width: int) -> NDArray[np.uint8]:
    """Sprinkle black pixels on white paper."""
    return np.where(np.random.default_rng(0).random((height, width)) < 0.02, 0, 255).astype(np.uint8)


def check(recogniser: Recogniser, picture: NDArray[np.uint8]) -> int:
    """Read and draw a picture within bounds; return how many lines were read."""
    begun = time.process_time()
    reading = recogniser.read(picture)
    assert draw_reading(picture, reading).shape[:2] == picture.shape[:2]
    assert time.process_time() - begun < CPU_S
    return len(reading.lines)


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1), (2, 2), (5, 5), (10, 32000), (32000, 10), (45, 45)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_pictures_of_one_colour_have_no_lines(recogniser: Recogniser, size: tuple[int, int], level: int) -> None:
    """Of any size and shape."""
    assert check(recogniser, np.full(size, level, np.uint8)) == 0


def test_noise_has_no_lines(recogniser: Recogniser) -> None:
    """A camera with its lens cap on sees noise."""
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    assert check(recogniser, noise) == 0


def test_a_texture_of_thousands_of_specks_is_given_up(recogniser: Recogniser) -> None:
    """Thousands of parts are not read one by one: such a picture would hold up a device for minutes."""
    assert check(recogniser, salt(720, 1280)) == 0


@pytest.mark.parametrize("paper", ["plain", "ruled", "squared"])
def test_an_empty_sheet_has_no_lines(recogniser: Recogniser, paper: str) -> None:
    """What is printed on it and the edge of a shadow are not writing."""
    assert check(recogniser, draw_scene(paper=paper, light="shadow", turn_deg=3, seed=1).picture) == 0
