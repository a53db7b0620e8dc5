"""Printed lines: where they are found, and what is left when they are taken off."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.vision.erasing import erase
from edge_client.vision.lines import find_lines
from edge_client.vision.ruling import Ruled, find_ruling

FLOOR = 12.0


def _dark(*, slope: float, spacing: int, level: int = 30) -> NDArray[np.uint8]:
    dark = np.random.default_rng(3).integers(0, 6, (360, 640), np.uint8)
    for at in range(-200, 560, spacing):
        cv2.line(dark, (0, round(at - 320 * slope)), (639, round(at + 320 * slope)), level, 1)
    return dark


@pytest.mark.parametrize("slope", [-0.2, -0.05, 0.0, 0.12])
def test_lines_are_found_at_their_slope(slope: float) -> None:
    """All lines that cross the middle of the page are found, at their slope and rows."""
    lines = find_lines(_dark(slope=slope, spacing=40), floor=FLOOR)
    assert lines.slope() == pytest.approx(slope, abs=0.01)
    middle = lines.rows_at(np.array([320]))[:, 0]
    expected = [at for at in range(-200, 560, 40) if 70 < at < 290]
    for row in expected:
        assert np.abs(middle - row).min() <= 2


def test_lines_fainter_than_the_noise_are_found() -> None:
    """A line that no single pixel tells from noise is found, because a strip averages it."""
    dark = np.random.default_rng(4).normal(20, 8, (360, 640)).clip(0, 255).astype(np.uint8)
    dark[180] = np.minimum(dark[180].astype(int) + 8, 255).astype(np.uint8)
    lines = find_lines(dark, floor=20.0)
    assert np.abs(lines.across.mean(axis=1) - 180).min() < 2


def test_writing_is_not_taken_for_lines() -> None:
    """Short strokes in a row, and a fraction bar that ends before the edges of the page, are no lines of the paper."""
    dark = np.zeros((360, 640), np.uint8)
    for x in range(60, 560, 40):
        cv2.line(dark, (x, 180), (x + 22, 180), 120, 3)
    cv2.line(dark, (90, 220), (550, 222), 120, 3)
    assert len(find_lines(dark, floor=FLOOR)) == 0


def test_a_fraction_bar_from_edge_to_edge_is_ink() -> None:
    """One line as dark as the ink is kept even where it runs through the whole picture."""
    grey = np.full((720, 1280), 230, np.uint8)
    cv2.line(grey, (0, 360), (1279, 362), 40, 5)
    cv2.putText(grey, "12345", (500, 300), cv2.FONT_HERSHEY_SIMPLEX, 3, 40, 5)
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ruled = find_ruling(230 - half, grey=grey, paper=np.full_like(half, 230), floor=FLOOR)
    assert ruled.rulings == ()


def test_a_stroke_that_crosses_a_line_stays_whole() -> None:
    """Lines as dark as the ink vanish; an upright stroke, a slanted one and one along a line stay in one piece."""
    grey = np.full((720, 1280), 230, np.uint8)
    for row in range(40, 720, 60):
        cv2.line(grey, (0, row), (1279, row), 40, 2)
    strokes = np.zeros_like(grey)
    cv2.line(strokes, (400, 300), (400, 420), 255, 6)
    cv2.line(strokes, (500, 310), (600, 430), 255, 6)
    cv2.line(strokes, (700, 341), (780, 341), 255, 7)
    grey[strokes > 0] = 40
    half = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ruled = find_ruling(230 - half, grey=grey, paper=np.full_like(half, 230), floor=FLOOR)
    rest = erase(cv2.compare(grey, 135, cv2.CMP_LT), ruled)
    count, _ = cv2.connectedComponents(rest, connectivity=8)
    assert count - 1 == 3
    # where a slanted stroke leaves a line, a corner of the line stays
    assert np.count_nonzero(rest & ~strokes) < 0.1 * np.count_nonzero(strokes)
    assert np.count_nonzero(strokes & ~rest) < 0.06 * np.count_nonzero(strokes)


def test_a_page_without_lines_is_left_as_it_is() -> None:
    """Nothing is erased where nothing is printed."""
    ink = np.zeros((100, 200), np.uint8)
    ink[40:60, 20:180] = 255
    assert erase(ink, Ruled((), 0.8)) is ink
