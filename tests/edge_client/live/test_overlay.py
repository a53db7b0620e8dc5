"""What was read, drawn on its picture."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.expression.row import Bar, Sign
from edge_client.expression.value import Value
from edge_client.live.overlay import DOUBTFUL, SURE, beside, colour_of, draw_reading, in_words
from tests.edge_client.live.readings import HEIGHT, WIDTH, a_line, a_reading

NUMBER = Value("3", "3", "number")


def paper(level: int = 230) -> NDArray[np.uint8]:
    return np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((before != after).any(axis=2))


def test_the_picture_itself_is_left_alone() -> None:
    """The overlay is on a copy."""
    picture = paper()
    drawn = draw_reading(picture, a_reading(a_line("1+2")), values=[NUMBER])
    assert (picture == 230).all()
    assert (drawn != 230).any()
    assert drawn.shape == picture.shape


def test_grey_pictures_become_colour() -> None:
    """A grey picture is drawn on in colour."""
    assert draw_reading(paper()[:, :, 0], a_reading(a_line("1+2"))).shape == (HEIGHT, WIDTH, 3)


def test_without_a_reading_nothing_is_drawn() -> None:
    """Neither for None nor for a picture without maths."""
    picture = paper()
    assert not changed(picture, draw_reading(picture, None)).any()
    assert not changed(picture, draw_reading(picture, a_reading())).any()


def test_every_symbol_has_a_box_in_the_colour_of_its_confidence() -> None:
    """Sure, doubtful and unsure look different, and an unsure box is broken."""
    drawn = draw_reading(paper(), a_reading(a_line("123", doubts={1: 0.7, 2: 0.3})))
    edges = [drawn[200 - 3, x : x + 40] for x in (100, 160, 220)]
    counts = [int((edge == colour_of(c)).all(axis=1).sum()) for edge, c in zip(edges, (0.97, 0.7, 0.3), strict=True)]
    assert counts[0] == counts[1] == 40
    assert 10 < counts[2] < 32


def test_the_foot_of_a_box_is_as_long_as_it_is_sure() -> None:
    """Half sure is half a foot."""
    drawn = draw_reading(paper(), a_reading(a_line("12", doubts={0: 1.0, 1: 0.5})))
    foot = drawn[200 + 60 + 3 + 2]
    lengths = [int((foot[x - 3 : x + 43] == colour_of(c)).all(axis=1).sum()) for x, c in ((100, 1.0), (160, 0.5))]
    assert lengths[0] == pytest.approx(46, abs=3)
    assert lengths[1] == pytest.approx(23, abs=3)


@pytest.mark.parametrize("level", [0, 60, 128, 200, 255])
def test_boxes_are_seen_on_every_background(level: int) -> None:
    """A box has a dark rim and a bright line, so that one of them stands out."""
    drawn = draw_reading(paper(level), a_reading(a_line("1")))
    across = drawn[190:200, 120].astype(int).sum(axis=1) / 3
    assert max(abs(across - level)) > 60


def test_the_value_is_on_the_panel_once_it_is_known() -> None:
    """Without a value there is a panel with the expression; with one it is wider."""
    reading = a_reading(a_line("1+2"))
    before, after = (changed(paper(), draw_reading(paper(), reading, values=v)).sum() for v in ((), (NUMBER,)))
    assert after > before


def test_a_value_stands_as_a_person_would_write_it() -> None:
    """A number after =, solutions and words as they are, nothing where there is nothing to say."""
    assert in_words(NUMBER) == "= 3"
    assert in_words(Value("x = 1 or x = 2", "", "solutions")) == "x = 1 or x = 2"
    assert in_words(Value("no value: division by zero", "", "none")) == "no value: division by zero"
    assert in_words(Value("", "", "none")) == ""
    assert in_words(None) == ""


def test_panels_do_not_cover_writing_or_each_other() -> None:
    """Where there is room, no panel lies on a line of writing."""
    lines = [a_line("1+2", y=100), a_line("3+4", y=300), a_line("5+6", y=500)]
    drawn = draw_reading(paper(), a_reading(*lines), values=[NUMBER] * 3)
    for line in lines:
        for symbol in line.symbols:
            x, y, width, height = symbol.box
            inner = drawn[y + 4 : y + height - 4, x + 4 : x + width - 4]
            assert (inner == 230).all()


def test_a_crowded_picture_is_still_drawn() -> None:
    """Where there is no room, panels gather at the lower edge, inside the picture."""
    lines = [a_line("1+2+3+4+5+6+7+8+9", x=20, y=y) for y in range(60, 640, 90)]
    drawn = draw_reading(paper(), a_reading(*lines), values=[NUMBER] * len(lines))
    assert changed(paper(), drawn)[HEIGHT - 30 :].any()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (160, 60), (40, 30), (4000, 3000)])
def test_every_size_of_picture_is_drawn_on(width: int, height: int) -> None:
    """Small and large pictures have everything in proportion; a box outside the picture is no error."""
    picture = np.full((height, width, 3), 90, np.uint8)
    reading = a_reading(a_line("1+2=x", doubts={0: 0.2}), width=width, height=height)
    drawn = draw_reading(picture, reading, values=[NUMBER], status="25 fps", warning="the camera is lost")
    assert drawn.shape == picture.shape
    assert changed(picture, drawn).any()


def test_very_long_lines_are_made_to_fit() -> None:
    """An expression, a value and a warning that are wider than the picture stay in it."""
    long = Value(" or ".join(f"x = {n}/7" for n in range(60)), "", "solutions")
    line = a_line("+".join("1234567890"), x=10)
    drawn = draw_reading(paper(), a_reading(line), values=[long], warning="gone " * 100)
    assert changed(paper(), drawn).any()
    assert not changed(paper(), drawn)[:, -4:].any()


def test_a_fraction_bar_needs_no_name() -> None:
    """A bar that is sure is not labelled as a minus; one that is unsure is."""
    row = (Bar((Sign("1"),), (Sign("2"),)),)

    def tag(confidence: float) -> bool:
        drawn = draw_reading(paper(), a_reading(a_line(row, doubts={0: confidence})))
        return bool(changed(paper(), drawn)[170:190, 100:130].any())

    assert not tag(0.95)
    assert tag(0.4)


def test_status_and_warning_are_in_the_corner() -> None:
    """Both are in the upper left, the warning below the status."""
    status = changed(paper(), draw_reading(paper(), None, status="25 fps"))
    both = changed(paper(), draw_reading(paper(), None, status="25 fps", warning="the camera is lost"))
    assert status[:60, :300].any()
    assert not status[60:].any()
    assert both[60:100].any()


def test_confidence_has_three_colours() -> None:
    """The borders are those that are documented."""
    assert len({colour_of(SURE), colour_of(DOUBTFUL), colour_of(0.0)}) == 3
    assert colour_of(SURE) == colour_of(1.0)
    assert colour_of(DOUBTFUL) == colour_of(SURE - 0.01)


def test_drawing_takes_little_time() -> None:
    """Twenty symbols on 1280×720, in the time of this thread; the limit is generous because machines differ."""
    lines = [a_line("3x+7=22-4", y=120, doubts={2: 0.4}), a_line("(a+b)*12-7", y=400)]
    picture, reading = paper(), a_reading(*lines)
    draw_reading(picture, reading, values=[NUMBER] * 2, status="25 fps")
    begun = time.thread_time()
    for _ in range(10):
        draw_reading(picture, reading, values=[NUMBER] * 2, status="25 fps")
    assert (time.thread_time() - begun) / 10 < 0.02


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("1+1", Value("2", "2", "number"), "= 2"),
        ("1+1=", Value("2", "2", "number"), "2"),
        ("3x=15", Value("x = 5", "x=5", "solutions"), "x = 5"),
        ("x=5", Value("x = 5", "x=5", "solutions"), ""),
        ("7", Value("7", "7", "number"), ""),
        ("7", None, ""),
    ],
)
def test_a_value_is_not_said_twice(text: str, value: Value | None, said: str) -> None:
    """What a line says already is not said beside it again, nor a second equals sign."""
    assert beside(a_line(text), value) == said
