"""What is taken over from the frame before: ink that stands still, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.expression import text_of
from edge_client.reading import Reading, RecentlyRead, Recogniser
from edge_client.reading.recent import FRESH_EVERY
from tests.reading_scenes import draw_scene
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.weights import initial_weights
from tflite_models.shipped_weights import default_weights

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """A reader with the weights that ship."""
    return Recogniser(builtin_bundle("algebra"), weights=default_weights("algebra"))


def frame(text: str, *, number: int = 0, seed: int = 7) -> Picture:
    """A camera's frame of a text: each has its own noise, and is moved by a pixel or two."""
    rng = np.random.default_rng([seed, number])
    picture = draw_scene(text, width=640, height=360, symbol_px=60, turn_deg=0.2, seed=seed).picture
    move = cv2.getRotationMatrix2D((320, 180), 0.2 * np.sin(number), 1)
    move[:, 2] += (np.sin(2 * number), np.cos(2 * number))
    moved = cv2.warpAffine(picture, move, (640, 360), borderMode=cv2.BORDER_REPLICATE)
    noisy: Picture = np.clip(moved + rng.normal(0, 4, moved.shape), 0, 255).astype(np.uint8)
    return noisy


def texts(reading: Reading) -> list[str]:
    return [text_of(line.row) for line in reading.lines]


def test_ink_that_stands_still_is_not_read_again(recogniser: Recogniser) -> None:
    """Frames of one paper differ by noise: nearly all is taken over, and the symbols are where they are now."""
    recent = RecentlyRead()
    first = recogniser.read(frame("3x+7=22"), recent=recent)
    assert recent.taken_over == 0
    for number in range(1, 6):
        again = recogniser.read(frame("3x+7=22", number=number), recent=recent)
        assert recent.taken_over >= 0.8 * len(first.lines[0].symbols)
        assert texts(again) == texts(first) == ["3x+7=22"]
        boxes = [symbol.box for symbol in again.lines[0].symbols]
        fresh = recogniser.read(frame("3x+7=22", number=number))
        assert boxes == [symbol.box for symbol in fresh.lines[0].symbols]


@pytest.mark.parametrize(("before", "after"), [("3+4", "3+7"), ("3+4=7", "3+4"), ("12", "1+2"), ("x2", "x^2")])
def test_what_changes_is_read_at_once(recogniser: Recogniser, before: str, after: str) -> None:
    """A symbol that is another, is gone, came or moved gives the reading that a first look gives."""
    recent = RecentlyRead()
    recogniser.read(frame(before), recent=recent)
    now = frame(after, number=1)
    assert texts(recogniser.read(now, recent=recent)) == texts(recogniser.read(now))


def test_what_is_written_meanwhile_is_all_that_is_read(recogniser: Recogniser) -> None:
    """A symbol more at the end of a line: the others keep what they were classified as."""
    recent = RecentlyRead()
    before = recogniser.read(frame("3x+7="), recent=recent)
    # the same hand goes on writing: nothing of what stands is another
    now = frame("3x+7=22", number=1)
    now[:, : before.lines[0].box[0] + before.lines[0].box[2] + 4] = frame("3x+7=", number=1)[
        :, : before.lines[0].box[0] + before.lines[0].box[2] + 4
    ]
    got = recogniser.read(now, recent=recent)
    assert recent.taken_over >= 0.6 * len(before.lines[0].symbols)
    assert texts(got) == texts(recogniser.read(now))


def test_symbols_that_touch_move_with_their_line(recogniser: Recogniser) -> None:
    """Where a symbol is only a part of its connected ink, its box follows the hand that holds the camera."""
    pictures = (
        touching(recogniser, text, seed=seed, over_px=over_px)
        for text in ("8-34", "12+9", "3+57")
        for seed in (3, 2, 1)
        for over_px in (2, 5, 8)
    )
    both = ((picture, recogniser.read(picture)) for picture in pictures)
    picture = next(picture for picture, read in both if len(read.lines[0].symbols) > len(read.page.parts))
    recent = RecentlyRead()
    first = recogniser.read(picture, recent=recent)
    moved = cv2.warpAffine(picture, np.array([[1.0, 0, 3], [0, 1, 2]]), (640, 360), borderMode=cv2.BORDER_REPLICATE)
    again = recogniser.read(moved.astype(np.uint8), recent=recent)
    assert recent.taken_over > 0
    assert texts(again) == texts(first)
    for before, after in zip(first.lines[0].symbols, again.lines[0].symbols, strict=True):
        assert np.abs(np.subtract(after.box, before.box) - (3, 2, 0, 0)).max() <= 1


def touching(recogniser: Recogniser, text: str, *, seed: int, over_px: int) -> Picture:
    """Push the last symbol of a text into the one before it."""
    picture = draw_scene(text, width=640, height=360, symbol_px=60, turn_deg=0, seed=seed).picture
    before, last = (symbol.box for symbol in recogniser.read(picture).lines[0].symbols[-2:])
    edge = before[0] + before[2] + 1
    to = edge - max(0, last[0] - edge + 1 + over_px)
    pushed = picture.copy()
    pushed[:, edge:] = np.median(picture, axis=(0, 1))
    place = pushed[:, to : 640 - edge + to]
    np.minimum(place, picture[:, edge:], out=place)
    return pushed


def test_a_stroke_that_is_added_is_seen(recogniser: Recogniser) -> None:
    """One stroke through a minus makes it a plus in the very next frame."""
    recent, picture = RecentlyRead(), np.full((240, 480), 235, np.uint8)
    cv2.line(picture, (60, 70), (60, 170), 30, 7)
    cv2.line(picture, (180, 120), (270, 120), 30, 7)
    cv2.line(picture, (380, 70), (380, 170), 30, 7)
    assert texts(recogniser.read(picture, recent=recent)) == ["1-1"]
    cv2.line(picture, (225, 75), (225, 165), 30, 7)
    assert texts(recogniser.read(picture, recent=recent)) == ["1+1"]


def test_other_weights_read_everything_anew(recogniser: Recogniser) -> None:
    """What weights in use before said is forgotten with them."""
    bundle = builtin_bundle("algebra")
    one = Recogniser(bundle, weights=default_weights("algebra"))
    recent = RecentlyRead()
    one.read(frame("3x+7=22"), recent=recent)
    one.adopt(initial_weights(bundle.manifest, seed=1))
    now = frame("3x+7=22", number=1)
    got = one.read(now, recent=recent, all_is_maths=True)
    assert recent.taken_over == 0
    assert texts(got) == texts(one.read(now, all_is_maths=True))


def test_one_bad_frame_is_not_believed_for_long(recogniser: Recogniser) -> None:
    """Every twentieth frame is read without regard to those before it."""
    recent, picture = RecentlyRead(), frame("3x+7=22")
    taken = []
    for _ in range(2 * FRESH_EVERY):
        recogniser.read(picture, recent=recent)
        taken.append(recent.taken_over)
    assert [number for number, count in enumerate(taken) if count == 0] == [0, FRESH_EVERY]


def test_pictures_that_follow_by_chance_do_not_touch_each_other(recogniser: Recogniser) -> None:
    """Without a camera's memory, a picture is read as if it were the only one."""
    one, two = frame("3+4"), frame("3+7", number=1)
    alone = texts(recogniser.read(two))
    recogniser.read(one)
    assert texts(recogniser.read(two)) == alone
