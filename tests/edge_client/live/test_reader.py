"""Live reading: frames in, a stable reading and its values out, and nothing that takes time holds up a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np
import pytest

from edge_client.camera.frame import Picture
from edge_client.live import LiveFrame, LiveReader, say_weights
from edge_client.live.reader import QUIET_S
from shared.errors import ModelError
from tests.edge_client.live.scripted import WAIT_S, ScriptedRecogniser, ScriptedSolver, ScriptedSource, shown


class Bench:
    """A live reader on scripted parts, with a clock of its own."""

    def __init__(self) -> None:
        self.source = ScriptedSource()
        self.recogniser = ScriptedRecogniser({1: "1+2", 2: "3*4", 3: "", 9: ModelError("the model is broken")})
        self.solver = ScriptedSolver()
        self.weights = "weights 3fa2c1d as shipped"
        self.updates: list[LiveFrame] = []
        self.now = 100.0
        self.live = LiveReader(
            self.source,
            recogniser=self.recogniser,
            solver=self.solver,
            weights=lambda: self.weights,
            on_update=self.updates.append,
            clock=lambda: self.now,
        )

    def show(self, *levels: int, still: bool = False) -> LiveFrame:
        """Show pictures one after the other, each once the one before was read; return the last frame."""
        for level in levels:
            self.until(partial(is_of, self.source.show(level, still=still)))
        frame = self.live.latest()
        assert frame is not None
        return frame

    def at_work(self) -> bool:
        return self.live.busy

    def has_ended(self) -> bool:
        return self.live.ended

    def until(self, wanted: Callable[[LiveFrame], bool]) -> LiveFrame:
        """Wait for a frame that is as wanted."""
        seq = 0
        while True:
            frame = self.live.wait(seq, WAIT_S)
            assert frame is not None
            if wanted(frame):
                return frame
            assert frame.seq > seq, "no such frame came"
            seq = frame.seq


def is_of(picture: Picture, frame: LiveFrame) -> bool:
    return frame.raw is picture


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A live reader that runs."""
    bench = Bench()
    with bench.live:
        yield bench


def test_a_stable_reading_is_on_view_with_its_value(bench: Bench) -> None:
    """After a few frames the text is there; its value when the solver has it."""
    first = bench.show(1)
    assert first.reading is None
    bench.show(1, 1)
    frame = bench.until(lambda frame: any(frame.values))
    assert shown(bench.live) == ["1+2"]
    assert [value and value.text for value in frame.values] == ["value of 1+2"]
    assert frame.title == "a title"


def test_a_hard_equation_holds_up_no_frame(bench: Bench) -> None:
    """Frames go on while the solver thinks; the value comes later, also when no other frame does."""
    bench.solver.let.clear()
    frame = bench.show(1, 1, 1, 1, 1, 1)
    assert frame.values == (None,)
    bench.solver.let.set()
    assert bench.until(lambda frame: any(frame.values)).raw is frame.raw


def test_only_what_is_on_view_is_solved(bench: Bench) -> None:
    """A line that flickered by is never asked for."""
    bench.show(1, 1, 1, 2, 1, 1)
    bench.until(lambda frame: any(frame.values))
    assert bench.solver.asked == ["1+2"]


def test_every_new_text_is_told_once(bench: Bench) -> None:
    """Whoever listens hears of every change of what is stable, and of nothing else."""
    bench.show(*[1] * 8, *[3] * 10, *[2] * 6)
    texts = [[line.symbols[0].label for line in f.reading.lines] if f.reading else [] for f in bench.updates]
    assert texts == [["1"], [], ["3"]]


def test_every_still_picture_is_told(bench: Bench) -> None:
    """Two pictures that read the same are two readings, and one without maths is told too."""
    bench.show(1, 1, 3, still=True)
    assert [frame.reading is not None for frame in bench.updates] == [True, True, False]


def test_a_lost_camera_is_said_on_the_last_picture(bench: Bench) -> None:
    """The picture stays, with the trouble as its status; the status goes when pictures come again."""
    frame = bench.show(1, 1, 1)
    bench.source.trouble = "the camera is not there"
    lost = bench.until(lambda frame: frame.status != "")
    assert lost.status == "the camera is not there"
    assert lost.raw is frame.raw
    assert shown(bench.live) == ["1+2"]
    bench.source.trouble = ""
    assert bench.show(1).status == ""


def test_a_camera_that_was_never_there_is_said_on_no_picture(bench: Bench) -> None:
    """Before the first picture there is a dark one that says what is the matter."""
    bench.source.trouble = "the camera is not there"
    frame = bench.until(lambda frame: frame.status != "")
    assert frame.reading is None
    assert (frame.picture != frame.raw).any()
    bench.source.trouble = ""
    assert bench.show(1).status == ""


def test_the_end_is_said(bench: Bench) -> None:
    """A video that has ended leaves its last picture, and says so."""
    bench.show(1, 1, 1)
    assert not bench.has_ended()
    bench.source.end()
    assert bench.until(lambda frame: frame.status != "").status == "source under test has ended"
    assert bench.has_ended()
    assert shown(bench.live) == ["1+2"]


def test_a_picture_that_cannot_be_read_ends_nothing(bench: Bench) -> None:
    """What went wrong is the status of that picture; the next is read."""
    assert bench.show(9).status == "the model is broken"
    bench.recogniser.texts[9] = ZeroDivisionError("a fault")
    assert "ZeroDivisionError: a fault" in bench.show(9).status
    assert bench.show(1).status == ""


def test_reading_can_be_paused(bench: Bench) -> None:
    """Paused, the frame stays and says so; resumed, the next picture is read."""
    bench.show(1)
    bench.live.pause()
    bench.until(lambda frame: frame.status == "paused")
    bench.source.show(2)
    latest = bench.live.wait(bench.live._latest.seq, 0.2) if bench.live._latest else None
    assert latest is not None
    assert latest.raw[0, 0, 0] == 1
    bench.live.pause(False)
    assert bench.until(lambda frame: frame.raw[0, 0, 0] == 2).status == ""


def test_new_weights_are_named_at_once(bench: Bench) -> None:
    """The name of the weights in use follows them, also while no new picture comes."""
    bench.show(1)
    bench.weights = "weights 7777777 of the fleet, after 12 rounds"
    assert bench.until(lambda frame: "7777777" in frame.weights)


def test_somebody_is_at_work_until_nothing_changes_any_more(bench: Bench) -> None:
    """Training waits while what is read changes, and for a while after; not for a sheet that only lies there."""
    assert not bench.at_work()
    bench.show(1, 1, 1)
    assert bench.at_work()
    bench.now += QUIET_S + 1
    bench.show(1, 1)
    assert not bench.at_work()
    bench.show(3, 3, 3, 3, 3, 3, 3, 3, 3)
    assert bench.at_work()
    bench.live.pause()
    assert not bench.at_work()


def test_a_jpeg_is_made_once_a_frame(bench: Bench) -> None:
    """Two who look get the same bytes; a picture that is too wide for the page is made smaller."""
    assert bench.live.jpeg() == b""
    bench.show(1)
    data = bench.live.jpeg()
    assert bench.live.jpeg() is data
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (72, 128, 3)
    bench.show(2)
    small = cv2.imdecode(np.frombuffer(bench.live.jpeg(most_wide=64), np.uint8), cv2.IMREAD_COLOR)
    assert small is not None
    assert small.shape == (36, 64, 3)


def test_the_overlay_is_drawn_when_it_is_looked_at(bench: Bench) -> None:
    """The frame's picture has everything on it, and the raw one is as it came."""
    frame = bench.show(1, 1, 1)
    assert frame.picture is frame.picture
    assert (frame.raw == 1).all()
    assert (frame.picture != frame.raw).any()


def test_frames_a_second_are_counted(bench: Bench) -> None:
    """At a frame every tenth of a second it says ten."""
    for _ in range(8):
        frame = bench.show(1)
        bench.now += 0.1
    assert frame.fps == pytest.approx(10.0, abs=0.1)


def test_waiting_ends_when_the_reader_is_stopped() -> None:
    """Nobody waits for a frame that cannot come; source and reader are stopped."""
    bench = Bench()
    bench.live.start()
    bench.live.stop()
    assert bench.live.wait(10, WAIT_S) is None
    assert bench.source.stopped
    bench.live.stop()


def test_a_source_that_cannot_be_opened_starts_nothing() -> None:
    """The error of the source is the reader's."""
    bench = Bench()

    def refuse() -> None:
        raise ModelError("not there")

    bench.source.start = refuse  # type: ignore[method-assign]
    with pytest.raises(ModelError):
        bench.live.start()
    bench.live.stop()


@pytest.mark.parametrize(
    ("origin", "rounds", "said"),
    [
        ("shipped", 0, "weights 3fa2c1d as shipped"),
        ("file", 0, "weights 3fa2c1d from a file"),
        ("fleet", 1, "weights 3fa2c1d of the fleet, after 1 round"),
        ("fleet", 12, "weights 3fa2c1d of the fleet, after 12 rounds"),
    ],
)
def test_weights_are_named_for_people(origin: str, rounds: int, said: str) -> None:
    """A short hash, and where they are from."""
    assert say_weights({"sha256": "3fa2c1d9", "origin": origin, "run": "", "rounds": rounds}) == said


def test_without_weights_there_is_nothing_to_name() -> None:
    """No weights, no words."""
    assert say_weights(None) == ""
