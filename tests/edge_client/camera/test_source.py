"""The newest picture wins, what is lost is opened again, and what has ended says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from edge_client.camera.frame import Frame, Picture
from edge_client.camera.source import Source
from edge_client.retry import Retry
from shared.errors import DataError, InkfleetError, RunError
from tests.edge_client.camera.mjpeg_server import MjpegServer

WAIT_S = 60.0
AT_ONCE = Retry(first_s=0.001, cap_s=0.002)


FOR_EVER = -1


def grey(level: int) -> Picture:
    return np.full((4, 4, 3), level, np.uint8)


class Scripted:
    """A capture that does what the test says.

    Every time it is opened it takes the next turn, at last the same again and again: a list of pictures by number and
    of errors to raise in their place, or an error with which it does not open. `FOR_EVER` repeats the picture before.
    """

    still = False

    def __init__(
        self,
        *turns: Sequence[int | Exception] | InkfleetError,
        live: bool = False,
        gate: threading.Semaphore | None = None,
    ) -> None:
        self.name = self.title = "camera under test"
        self.live = live
        self.interval_s = 0.0
        self.opened = 0
        self.exhausted = threading.Event()
        self._turns = turns
        self._left: list[int | Exception] = []
        self._last = 0
        self._gate = gate

    def open(self) -> None:
        turn = self._turns[min(self.opened, len(self._turns) - 1)]
        self.opened += 1
        if isinstance(turn, InkfleetError):
            raise turn
        self._left = list(turn)

    def next(self, *, skip: int = 0) -> Picture | None:
        if self._gate is not None:
            self._gate.acquire()
        if not self._left:
            self.exhausted.set()
            return None
        if self._left[0] == FOR_EVER:
            threading.Event().wait(0.001)
            return grey(self._last)
        item = self._left.pop(0)
        if isinstance(item, Exception):
            raise item
        self._last = item
        return grey(item)

    def close(self) -> None:
        pass


def until(source: Source, wanted: Callable[[Frame], bool]) -> Frame:
    """Read until a frame is as wanted."""
    while True:
        frame = source.read(timeout_s=WAIT_S)
        assert frame is not None, f"no such frame: {source.trouble}"
        if wanted(frame):
            return frame


def test_the_newest_picture_wins() -> None:
    """Whoever reads late gets the last picture, and its number tells how many were dropped."""
    capture = Scripted([1, 2, 3])
    source = Source(capture)
    source.start()
    assert capture.exhausted.wait(WAIT_S)
    frame = source.read(timeout_s=WAIT_S)
    assert frame is not None
    assert (int(frame.picture[0, 0, 0]), frame.number) == (3, 2)
    assert source.read(timeout_s=WAIT_S) is None
    assert source.ended
    source.stop()


def test_nothing_new_is_nothing() -> None:
    """The same picture is not handed out twice: after the newest, there is nothing until the next."""
    gate = threading.Semaphore(1)
    capture = Scripted([1, 2], live=True, gate=gate)
    source = Source(capture, retry=AT_ONCE)
    source.start()
    assert until(source, lambda frame: True).number == 0
    assert source.read(timeout_s=0.01) is None
    gate.release()
    assert until(source, lambda frame: True).number == 1
    gate.release()
    source.stop()


def test_a_live_source_that_is_lost_is_opened_again() -> None:
    """Pictures cease: the trouble is said, and gone when the camera is there again."""
    gone = RunError("camera under test is not there")
    capture = Scripted([1], gone, gone, [2, 3, FOR_EVER], live=True)
    source = Source(capture, retry=AT_ONCE)
    with source:
        assert until(source, lambda frame: int(frame.picture[0, 0, 0]) >= 2)
        assert source.trouble == ""
        assert not source.ended
    assert capture.opened >= 4


def test_the_trouble_of_a_lost_source_is_told() -> None:
    """While it cannot be opened again, the reason stands there."""
    capture = Scripted([1], RunError("camera under test is not there"), live=True)
    with Source(capture, retry=AT_ONCE) as source:
        until(source, lambda frame: True)
        while "not there" not in source.trouble:
            threading.Event().wait(0.001)
        assert source.trouble == "camera under test is not there (still trying)"


def test_the_waits_before_opening_again_grow() -> None:
    """A lost source is tried less and less often, never less than at the cap."""
    drawn: list[int] = []

    class Noted(Retry):
        def wait_s(self, tries: int, *, uniform: Callable[[], float]) -> float:
            drawn.append(tries)
            return 0.0

    capture = Scripted([1], RunError("gone"), live=True)
    with Source(capture, retry=Noted(first_s=1, cap_s=2)):
        while len(drawn) < 4:
            threading.Event().wait(0.001)
    assert drawn[:4] == [0, 1, 2, 3]


def test_a_camera_that_is_absent_at_the_start_is_an_error() -> None:
    """Starting says why there is no picture."""
    source = Source(Scripted(RunError("camera under test is not there"), live=True))
    with pytest.raises(RunError, match="not there"):
        source.start()


def test_a_patient_source_waits_for_its_camera() -> None:
    """Where patience is asked for, a camera may come later."""
    capture = Scripted(RunError("not there"), [7, FOR_EVER], live=True)
    with Source(capture, patient=True, retry=AT_ONCE) as source:
        assert until(source, lambda frame: True).picture[0, 0, 0] == 7


def test_a_looped_film_begins_again() -> None:
    """Looped, a film has no end, and its numbers go on."""
    with Source(Scripted([1, 2]), loop=True, every=True) as source:
        frames = [source.read(timeout_s=WAIT_S) for _ in range(5)]
    assert [int(frame.picture[0, 0, 0]) for frame in frames if frame is not None] == [1, 2, 1, 2, 1]
    assert [frame.number for frame in frames if frame is not None] == [0, 1, 2, 3, 4]


def test_a_loop_without_a_picture_ends() -> None:
    """A looped folder in which nothing can be read any more ends instead of turning for ever."""
    capture = Scripted([1], DataError("a.png is no picture"))
    with Source(capture, loop=True, every=True) as source:
        while source.read(timeout_s=WAIT_S) is not None:
            pass
        assert source.ended
        assert source.trouble == "a.png is no picture"


@pytest.mark.parametrize("every", [False, True])
def test_a_picture_that_cannot_be_read_is_said_and_passed_over(every: bool) -> None:
    """One broken picture of a folder does not end it."""
    gate = threading.Semaphore(100)
    capture = Scripted([DataError("a.png is no picture"), 5], gate=gate)
    with Source(capture, every=every) as source:
        assert until(source, lambda frame: True).picture[0, 0, 0] == 5


def test_a_broken_last_picture_is_still_said_at_the_end() -> None:
    """The end of a folder does not hide that its last picture was no picture."""
    told: list[str] = []
    capture = Scripted([DataError("a.png is no picture"), 5, DataError("z.png is no picture")])
    with Source(capture, every=True, on_trouble=told.append) as source:
        assert source.read(timeout_s=WAIT_S) is not None
        assert source.read(timeout_s=WAIT_S) is None
        assert source.trouble == "z.png is no picture"
    assert told == ["a.png is no picture", "", "z.png is no picture"]


def test_a_film_keeps_its_pace_and_drops_what_it_is_late_for() -> None:
    """A film that was held up goes on where it would be by now."""
    now = [0.0]
    skips: list[int] = []

    class Slow(Scripted):
        def next(self, *, skip: int = 0) -> Picture | None:
            skips.append(skip)
            now[0] += 0.0035 if len(skips) == 2 else 0.0
            return super().next(skip=skip)

    capture = Slow([1, 2, 3])
    capture.interval_s = 0.001
    source = Source(capture, clock=lambda: now[0])
    source.start()
    assert capture.exhausted.wait(WAIT_S)
    assert skips[0] == 0
    assert max(skips) >= 1
    source.stop()


def test_what_nobody_foresaw_reaches_the_reader() -> None:
    """A fault in a capture is not swallowed by its thread."""
    with Source(Scripted([ZeroDivisionError("a fault")])) as source, pytest.raises(ZeroDivisionError):
        source.read(timeout_s=WAIT_S)


def test_grey_and_transparent_pictures_become_colour() -> None:
    """Whatever a capture gives, a frame is BGR."""

    class Odd(Scripted):
        def next(self, *, skip: int = 0) -> Picture | None:
            picture = super().next()
            if picture is None:
                return None
            return picture[:, :, 0] if picture[0, 0, 0] == 1 else np.dstack([picture, picture[:, :, :1]])

    with Source(Odd([1, 2]), every=True) as source:
        shapes = [frame.picture.shape for _ in range(2) if (frame := source.read(timeout_s=WAIT_S)) is not None]
    assert shapes == [(4, 4, 3), (4, 4, 3)]


def test_a_stream_that_was_unplugged_comes_back() -> None:
    """A real stream whose camera is unplugged is read on once it is plugged in again."""
    from edge_client.camera.stream import NetworkStream

    with MjpegServer() as server:
        source = Source(NetworkStream(server.url), retry=AT_ONCE)
        with source:
            until(source, lambda frame: True)
            server.unplug()
            while not source.trouble:
                source.read(timeout_s=0.01)
            assert "secret" not in source.trouble
            source.read(timeout_s=0)  # one from before that nobody has looked at
            server.plug_in()
            until(source, lambda frame: True)
            assert source.trouble == ""
