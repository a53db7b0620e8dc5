"""From a picture to its ink, on hostile pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.vision import InkPage, PictureTrace, find_ink
from shared.errors import DataError
from tests.edge_client.vision.paper_scene import (
    BLACK,
    BLUE,
    CREAM,
    GREEN,
    GREY_LINE,
    PENCIL,
    RED,
    SLATE,
    STRONG_BLUE,
    Scene,
    draw,
    found,
)

HOSTILE = {
    "ink of 1 px": Scene(ink_px=1),
    "ink of 20 px": Scene(ink_px=20, symbol_px=130, width=1800),
    "ink of 1 px in 320x240": Scene(width=320, height=240, ink_px=1, symbol_px=24),
    "ink of 3 px in 320x240": Scene(width=320, height=240, ink_px=3, symbol_px=26, noise=4),
    "soft shadow": Scene(shadow=0.5, shadow_edge_px=60),
    "rather hard shadow": Scene(shadow=0.5, shadow_edge_px=8),
    "hard shadow, pencil": Scene(shadow=0.3, shadow_edge_px=2, ink=PENCIL),
    "vignette": Scene(vignette=0.7),
    "blue on faint squares": Scene(ink=BLUE, squares_px=28),
    "blue on strong squares": Scene(ink=BLUE, squares_px=34, line=STRONG_BLUE, line_px=2),
    "pencil on strong squares": Scene(ink=PENCIL, squares_px=34, line=STRONG_BLUE, line_px=2),
    "red on strong rules": Scene(ink=RED, rules_px=57, line=STRONG_BLUE, line_px=2.5),
    "green on grey squares": Scene(ink=GREEN, squares_px=33, line=GREY_LINE),
    "black on black rules": Scene(ink=BLACK, rules_px=58, line=BLACK, line_px=2),
    "turned 10 degrees": Scene(turn_deg=10),
    "turned -10 degrees on squares": Scene(turn_deg=-10, squares_px=30, line=STRONG_BLUE),
    "perspective, squares": Scene(perspective=0.15, squares_px=32, line=STRONG_BLUE),
    "noise": Scene(noise=15, ink=PENCIL),
    "very pale": Scene(ink=(190, 190, 190), noise=4),
    "blurred": Scene(blur_px=2.5, ink_px=6),
    "much compressed": Scene(jpeg=30),
    "dark desk": Scene(desk=0.3),
    "dark desk, turned": Scene(desk=0.35, turn_deg=8),
    "desk, shadow, cream paper, rules": Scene(desk=0.2, shadow=0.4, shadow_edge_px=30, paper=CREAM, rules_px=50),
    "chalk on a board": Scene(paper=SLATE, ink=(225, 225, 225), vignette=0.4),
    "white on black screen": Scene(paper=(0, 0, 0), ink=(255, 255, 255), noise=0, blur_px=0, jpeg=0),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_every_symbol_is_found_whole_and_nothing_else(name: str) -> None:
    """Each symbol of a hostile picture is found in as many parts as it was drawn in, and nothing else is."""
    drawn = draw(HOSTILE[name])
    page = find_ink(drawn.picture)
    overlaps, strays = found(page, drawn.boxes)
    assert strays == 0
    assert len(page.parts) == drawn.parts
    # a minus sign that is a pixel thin loses a third of its box to the rounding of one edge
    assert min(overlaps) > 0.5
    assert np.mean(overlaps) > 0.85


def test_box_in_picture_is_exact_on_a_clean_picture() -> None:
    """Without noise, a box differs from the true one by no more than rounding, on a page that was turned as well."""
    for scene in (Scene(noise=0, jpeg=0), Scene(noise=0, jpeg=0, turn_deg=7), Scene(noise=0, jpeg=0, width=640)):
        drawn = draw(scene if scene.width > 640 else Scene(noise=0, jpeg=0, width=600, height=300, symbol_px=40))
        page = find_ink(drawn.picture)
        for truth in drawn.boxes:
            boxes = [page.box_in_picture(part) for part in page.parts]
            inside = [b for b in boxes if truth[0] - 2 <= b[0] + b[2] / 2 <= truth[0] + truth[2] + 2]
            left, top = min(b[0] for b in inside), min(b[1] for b in inside)
            right, bottom = max(b[0] + b[2] for b in inside), max(b[1] + b[3] for b in inside)
            differences = np.array([left, top, right - left, bottom - top]) - truth
            assert np.abs(differences).max() <= 2


@pytest.mark.parametrize("degrees", [-10.0, -4.0, 4.0, 10.0])
def test_a_page_that_is_plainly_turned_is_turned_upright(degrees: float) -> None:
    """Writing turned by up to ten degrees lies level on the page, within a degree and a half of unturned writing."""

    def fall(page: InkPage) -> float:
        across = page.to_picture @ np.array([100.0, 0.0, 0.0])
        return float(np.degrees(np.arctan2(across[1], across[0])))

    level, turned = find_ink(draw(Scene()).picture), find_ink(draw(Scene(turn_deg=degrees)).picture)
    assert fall(turned) - fall(level) == pytest.approx(degrees, abs=2.5)


@pytest.mark.parametrize(
    "scene",
    [
        Scene(labels=()),
        Scene(labels=(), squares_px=30),
        Scene(labels=(), squares_px=30, line=STRONG_BLUE, turn_deg=4),
        Scene(labels=(), rules_px=60),
        Scene(labels=(), shadow=0.5),
        Scene(labels=(), noise=12),
        Scene(labels=(), vignette=0.8),
        Scene(labels=(), desk=0.3),
    ],
    ids=["plain", "squares", "strong squares", "rules", "shadow", "noise", "vignette", "desk"],
)
def test_nothing_is_found_where_nothing_is_written(scene: Scene) -> None:
    """Empty paper of any kind has no ink, and so no width of ink."""
    page = find_ink(draw(scene).picture)
    assert page.parts == ()
    assert page.ink_width == 0


def test_black_edges_of_a_scan_are_not_ink() -> None:
    """The dark bars and slanted edge lines that a scanner leaves are not parts."""
    drawn = draw(Scene())
    picture = drawn.picture.copy()
    picture[:, :12] = 5
    picture[-7:] = 10
    cv2.line(picture, (1276, 0), (1271, 719), (20, 20, 20), 4)
    overlaps, strays = found(find_ink(picture), drawn.boxes)
    assert strays == 0
    assert min(overlaps) > 0.8


def test_what_shows_through_from_the_other_side_is_not_ink() -> None:
    """Blurred mirror writing with a sixth of the ink's darkness is left out."""
    drawn = draw(Scene())
    other = draw(Scene(seed=9, labels=tuple("83+4=192"))).picture[:, ::-1].astype(np.float32)
    other = np.roll(cv2.GaussianBlur(other, (0, 0), 2.5), 40, axis=0)
    both = drawn.picture * (1 - 0.16 * (1 - other / 245))
    page = find_ink(np.clip(both, 0, 255).astype(np.uint8))
    assert found(page, drawn.boxes)[1] == 0
    assert len(page.parts) == drawn.parts


def test_pencil_beside_a_marker_is_kept() -> None:
    """A pale thin pen is found on a page whose other writing is thick and black."""
    pencil = draw(Scene(labels=tuple("3x+7"), ink=(150, 150, 150), ink_px=3))
    marker = draw(Scene(labels=tuple("25-8"), ink_px=12, symbol_px=150))
    page = find_ink(np.vstack([pencil.picture, marker.picture]))
    lower = [(x, y + 720, w, h) for x, y, w, h in marker.boxes]
    overlaps, strays = found(page, [*pencil.boxes, *lower])
    assert strays == 0
    assert min(overlaps) > 0.8


def test_a_symbol_that_fills_a_small_picture_is_found() -> None:
    """A crop without any margin still shows its symbol whole."""
    drawn = draw(Scene(labels=("5",), symbol_px=200, ink_px=14))
    x, y, width, height = drawn.boxes[0]
    page = find_ink(drawn.picture[y : y + height, x : x + width])
    overlaps, _ = found(page, [(0, 0, width, height)])
    assert overlaps[0] > 0.9
    assert len(page.parts) == 1


def test_twelve_megapixels_keep_a_line_of_one_pixel() -> None:
    """In a picture of 4000x3000, ink one pixel wide is found, and the page is smaller than the picture."""
    drawn = draw(Scene(width=4000, height=3000, ink_px=1, symbol_px=90))
    page = find_ink(drawn.picture)
    overlaps, strays = found(page, drawn.boxes)
    assert strays == 0
    assert min(overlaps) > 0.5
    assert page.width < 4000


def test_grey_and_colour_pictures_give_the_same_ink() -> None:
    """A black and white picture is read alike with one channel and with three."""
    grey = cv2.cvtColor(draw(Scene()).picture, cv2.COLOR_BGR2GRAY)
    one, three = find_ink(grey), find_ink(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    assert [part.box for part in one.parts] == [part.box for part in three.parts]


def test_every_step_is_timed_and_shown() -> None:
    """A trace has the time and a picture of every step, in the order in which they are done."""
    trace = PictureTrace()
    find_ink(draw(Scene()).picture, trace=trace)
    assert list(trace.seconds) == ["size", "sheet", "grey", "light", "ruling", "ink", "lines", "parts", "skew"]
    names = [name for name, _ in trace.pictures]
    assert names == ["size", "sheet", "grey", "light", "ink", "lines", "skew"]
    assert all(picture.dtype == np.uint8 and picture.ndim in (2, 3) for _, picture in trace.pictures)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 700), (700, 9), (8, 3000), (101, 203)])
def test_pictures_of_any_shape_are_borne(shape: tuple[int, int]) -> None:
    """A picture too small or too long for writing is no error, be it blank or noise."""
    rng = np.random.default_rng(2)
    for picture in (np.full((*shape, 3), 200, np.uint8), rng.integers(0, 256, shape, np.uint8)):
        page = find_ink(picture)
        assert all(part.area > 0 for part in page.parts)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((40, 40, 4), np.uint8),
        np.zeros((40, 40), np.float32),
        np.zeros((0, 40), np.uint8),
        np.zeros(9, np.uint8),
    ],
    ids=["four channels", "float", "empty", "one axis"],
)
def test_what_is_no_picture_is_refused(picture: NDArray[np.uint8]) -> None:
    """An array of another shape or type is refused with one line that names both."""
    with pytest.raises(DataError, match="expected a picture of shape"):
        find_ink(picture)
