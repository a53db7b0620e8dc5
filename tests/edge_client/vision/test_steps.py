"""The steps of vision one by one, on pictures simple enough to know the answer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_client.vision.grey import is_light_on_dark
from edge_client.vision.light import paper_level
from edge_client.vision.parts import connected_parts, line_width
from edge_client.vision.scale import LARGEST_PX, SMALLEST_SIDE, to_working_size, working_scale
from edge_client.vision.sheet import find_sheet
from edge_client.vision.skew import turned, upright
from edge_client.vision.threshold import noise_floor


def test_working_size_is_bounded_on_both_sides() -> None:
    """Large pictures become smaller, small ones larger, others stay the same array."""
    assert working_scale(width=4000, height=3000) ** 2 * 12e6 == pytest.approx(LARGEST_PX)
    assert working_scale(width=320, height=240) * 320 == SMALLEST_SIDE
    picture = np.zeros((720, 1280), np.uint8)
    page, to_picture = to_working_size(picture)
    assert page is picture
    assert (to_picture == np.eye(3)).all()


def test_paper_follows_a_hard_shadow_and_ignores_ink() -> None:
    """On both sides of a hard edge the paper has its own grey, under ink as well."""
    picture = np.full((200, 300), 220, np.uint8)
    picture[:, 150:] = 110
    shadow = picture.copy()
    cv2.line(picture, (50, 40), (250, 160), 20, 6)
    paper = paper_level(picture, reach=12)
    assert (paper[:, :146] == shadow[:, :146]).all()
    assert (paper[:, 150:] == shadow[:, 150:]).all()


def test_noise_floor_rises_with_the_noise_and_not_with_the_ink() -> None:
    """The floor depends on the paper's noise, and hardly on how much is written."""
    rng = np.random.default_rng(1)
    quiet, loud = (np.abs(rng.normal(0, sigma, (300, 400))).astype(np.uint8) for sigma in (2, 12))
    written = quiet.copy()
    written[100:130] = 180
    assert noise_floor(loud) > 2 * noise_floor(quiet)
    assert noise_floor(written) <= noise_floor(quiet) + 3


@pytest.mark.parametrize(("paper", "ink", "light"), [(240, 20, False), (30, 220, True), (90, 20, False)])
def test_polarity(paper: int, ink: int, light: bool) -> None:
    """Chalk on a board is light on dark; ink on paper is not, in the dark neither."""
    picture = np.full((360, 640), paper, np.uint8)
    cv2.putText(picture, "3x+5=20", (60, 200), cv2.FONT_HERSHEY_SIMPLEX, 3, ink, 4)
    assert is_light_on_dark(picture) == light


def test_a_sheet_on_a_desk_is_found_and_paper_alone_is_not() -> None:
    """The sheet's outline is found on a darker desk; a picture that is all paper, even half in shadow, has none."""
    desk = np.full((480, 640, 3), (40, 60, 90), np.uint8)
    desk[60:420, 100:560] = 235
    sheet = find_sheet(desk, reach=16)
    assert sheet is not None
    whole = cv2.resize(sheet, (640, 480), interpolation=cv2.INTER_NEAREST) > 0
    truth = desk[:, :, 0] == 235
    assert np.count_nonzero(whole & truth) / np.count_nonzero(whole | truth) > 0.95
    shadowed = np.full((480, 640, 3), 235, np.uint8)
    shadowed[:, 300:] = 120
    assert find_sheet(shadowed, reach=16) is None


def test_a_sheet_beside_a_cloth_as_bright_is_told_by_its_colour() -> None:
    """Red cloth of the paper's own brightness at the side is not paper."""
    picture = np.full((480, 640, 3), 150, np.uint8)
    picture[:, 480:] = (60, 110, 250)
    sheet = find_sheet(picture, reach=16)
    assert sheet is not None
    assert sheet[:, -20:].max() == 0
    assert sheet[:, :100].min() == 255


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 13, 20])
def test_line_width(width: int) -> None:
    """The width of lines is measured within half a pixel."""
    ink = np.zeros((300, 400), np.uint8)
    ink[100 : 100 + width, 40:360] = 255
    ink[20:280, 200 : 200 + width] = 255
    assert line_width(connected_parts(ink)) == pytest.approx(width, abs=0.51)


def test_parts_are_cut_to_their_own_ink() -> None:
    """A part inside another's box is not in the other's mask."""
    ink = np.zeros((100, 100), np.uint8)
    cv2.circle(ink, (50, 50), 40, 255, 3)
    cv2.circle(ink, (50, 50), 6, 255, -1)
    ring, dot = connected_parts(ink)
    assert ring.area + dot.area == np.count_nonzero(ink)
    assert (dot.width, dot.height) == (13, 13)


def test_turning_upright_keeps_the_whole_page_and_leads_back() -> None:
    """Every corner of a turned page lies on the new one, and a mark is found where the homography says."""
    turn, width, height = upright(degrees=8, width=400, height=300)
    corners = turn @ np.array([[0, 400, 400, 0], [0, 0, 300, 300], [1, 1, 1, 1]])
    assert (corners[:2] >= -1e-9).all()
    assert (corners[0] <= width).all()
    assert (corners[1] <= height).all()
    page = np.zeros((300, 400), np.uint8)
    page[100:103, 200:203] = 255
    rows, columns = np.nonzero(turned(page, turn, width=width, height=height) > 128)
    back = np.linalg.inv(turn) @ np.array([columns.mean() + 0.5, rows.mean() + 0.5, 1.0])
    assert back[:2] == pytest.approx([201.5, 101.5], abs=0.5)
