"""What is shown stands still: it comes once frames agree, stays while it is plausible, and goes with its line."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest

from edge_client.expression import text_of
from edge_client.live.stabiliser import Patience, Stabiliser
from edge_client.reading.result import Line, Reading
from tests.edge_client.live.readings import a_line, a_reading

FRAME_S = 1 / 30


class Film:
    """Feeds a stabiliser with frames, 30 a second unless told otherwise."""

    def __init__(self) -> None:
        self._stabiliser = Stabiliser()
        self._now = 0.0

    def frame(self, *lines: Line, after_s: float = FRAME_S, still: bool = False) -> Reading | None:
        self._now += after_s
        return self._stabiliser.update(a_reading(*lines), at_s=self._now, still=still)

    def texts(self, *lines: Line, after_s: float = FRAME_S) -> list[str]:
        return texts_of(self.frame(*lines, after_s=after_s))


def texts_of(reading: Reading | None) -> list[str]:
    return [text_of(line.row) for line in reading.lines] if reading is not None else []


def shown(film: Film, lines: Iterable[Line]) -> list[list[str]]:
    return [film.texts(line) for line in lines]


def test_a_line_is_shown_once_frames_agree() -> None:
    """Not at the first frame, but soon."""
    assert shown(Film(), [a_line("1+2")] * 4) == [[], [], ["1+2"], ["1+2"]]


def test_a_line_that_is_never_read_twice_alike_is_not_shown() -> None:
    """Of noise, nothing is shown."""
    film = Film()
    assert all(film.texts(a_line(str(number))) == [] for number in range(100, 140))


def test_one_misread_frame_changes_nothing() -> None:
    """A flicker of one frame, or of two, is not seen."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    assert shown(film, [a_line("7+2"), a_line("1+2"), a_line("7+2"), a_line("7+2"), a_line("1+2")]) == [["1+2"]] * 5


@pytest.mark.parametrize("seed", range(5))
def test_a_reader_that_wavers_does_not_make_the_view_waver(seed: int) -> None:
    """A symbol that is read as one thing or the other by chance changes seldom, if ever."""
    rng = np.random.default_rng(seed)
    film = Film()
    texts = [film.texts(a_line("1+2" if rng.random() < 0.6 else "7+2")) for _ in range(300)]
    changes = sum(now != before for before, now in pairwise(texts[10:]))
    assert changes <= 6


def test_what_is_written_on_is_seen_soon() -> None:
    """One more symbol needs a few frames, not as many as another reading of the same symbols."""
    film = Film()
    shown(film, [a_line("1+2")] * 20)
    assert shown(film, [a_line("1+2=")] * 4)[-1] == ["1+2="]


def test_another_reading_of_the_same_symbols_needs_longer() -> None:
    """It wins in the end, as when new weights read better."""
    film = Film()
    shown(film, [a_line("1+2")] * 20)
    texts = shown(film, [a_line("7+2")] * 10)
    assert texts[4] == ["1+2"]
    assert texts[-1] == ["7+2"]


def test_a_text_that_no_frame_has_any_more_is_not_shown() -> None:
    """Where nothing is certain any more, the old text does not stand there for ever."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    texts = [film.texts(a_line(f"{number}+2")) for number in range(10, 40)]
    assert texts[0] == ["1+2"]
    assert texts[-1] == []


def test_boxes_follow_the_newest_frame() -> None:
    """A sheet that is moved takes its boxes along, also in a frame that is misread."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    moved = film.frame(a_line("1+2", x=104, y=203))
    assert moved is not None
    assert moved.lines[0].symbols[0].box == (104, 203, 40, 60)
    misread = film.frame(a_line("7+2", x=108, y=206))
    assert misread is not None
    assert (text_of(misread.lines[0].row), misread.lines[0].box[:2]) == ("1+2", (108, 206))
    assert misread.lines[0].symbols[2].box == (228, 206, 40, 60)


def test_a_line_that_jumps_is_still_the_same_line() -> None:
    """A sheet that is moved far between two frames has its line once, not twice."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    assert film.texts(a_line("1+2", x=600, y=500)) == ["1+2"]


def test_a_line_that_is_gone_disappears() -> None:
    """It stays for a moment, because a hand passes; then it is gone."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    texts = [film.texts() for _ in range(10)]
    assert texts[0] == ["1+2"]
    assert texts[-1] == []


def test_a_slow_reader_does_not_keep_what_is_gone_for_long() -> None:
    """At two frames a second, a line is gone after a second or two, not after eight frames."""
    film = Film()
    shown(film, [a_line("1+2")] * 5)
    texts = [film.texts(after_s=0.5) for _ in range(4)]
    assert texts[-1] == []


def test_lines_are_told_apart() -> None:
    """Each line has its own fate, and they stand from top to bottom."""
    film = Film()
    for _ in range(5):
        film.frame(a_line("3+4", y=400), a_line("1+2", y=100))
    assert film.texts(a_line("9+9", y=400), a_line("1+2", y=100)) == ["1+2", "3+4"]
    for _ in range(8):
        film.frame(a_line("3+4", y=400))
    assert film.texts(a_line("3+4", y=400)) == ["3+4"]


def test_a_still_picture_is_shown_at_once() -> None:
    """Nothing else will be known of it; and nothing of the picture before is left."""
    film = Film()
    assert texts_of(film.frame(a_line("1+2"), still=True)) == ["1+2"]
    assert texts_of(film.frame(a_line("3", y=500), still=True)) == ["3"]
    assert film.frame(still=True) is None


def test_confidence_does_not_jump() -> None:
    """The confidence that is shown follows that of the frames smoothly."""
    film = Film()
    shown(film, [a_line("1+2", confidence=0.9)] * 5)
    lower = film.frame(a_line("1+2", confidence=0.5))
    assert lower is not None
    assert 0.7 < lower.lines[0].confidence < 0.9
    assert 0.7 < lower.lines[0].symbols[0].confidence < 0.9
    for _ in range(20):
        lower = film.frame(a_line("1+2", confidence=0.5))
    assert lower is not None
    assert lower.lines[0].confidence == pytest.approx(0.5, abs=0.01)


def test_another_size_of_picture_begins_anew() -> None:
    """A camera that came back with another size has its boxes elsewhere."""
    stabiliser = Stabiliser(patience=Patience(to_show=1))
    assert stabiliser.update(a_reading(a_line("1+2")), at_s=0.0) is not None
    stable = stabiliser.update(a_reading(width=640, height=360), at_s=0.1)
    assert stable is None
