"""A source, a reader and a solver that do what a test says."""

from __future__ import annotations

import queue
import threading

import numpy as np

from edge_client.camera.frame import Frame, Picture
from edge_client.expression import text_of
from edge_client.expression.row import Row
from edge_client.expression.value import Value
from edge_client.live.reader import LiveReader
from edge_client.reading.recent import RecentlyRead
from edge_client.reading.result import Reading
from tests.edge_client.live.readings import a_line, a_reading

WAIT_S = 60.0


class ScriptedSource:
    """Hands out the frames that it is given; `end` ends it."""

    def __init__(self) -> None:
        self.name = "source under test"
        self.live = True
        self.trouble = ""
        self.started = self.stopped = False
        self._frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._count = 0
        self._ending = False

    @property
    def ended(self) -> bool:
        return self._ending and self._frames.empty()

    def show(self, level: int, *, still: bool = False) -> Picture:
        """Hand out a picture of one grey, and return it."""
        picture = np.full((72, 128, 3), level, np.uint8)
        self._frames.put(Frame(picture, self._count, self._count / 30, still=still, title="a title"))
        self._count += 1
        return picture

    def end(self) -> None:
        self._ending = True

    def start(self) -> None:
        self.started = True

    def read(self, *, timeout_s: float) -> Frame | None:
        try:
            return self._frames.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def stop(self) -> None:
        self.stopped = True


class ScriptedRecogniser:
    """Reads a picture as the text that was named for its grey; nothing, or an error, if that was named."""

    def __init__(self, texts: dict[int, str | Exception]) -> None:
        self.texts = texts

    def read(self, picture: Picture, *, recent: RecentlyRead | None = None) -> Reading:
        height, width = picture.shape[:2]
        text = self.texts[int(picture[0, 0, 0])]
        if isinstance(text, Exception):
            raise text
        return a_reading(*([a_line(text)] if text else []), width=width, height=height)


class ScriptedSolver:
    """Gives every row the value ``value of TEXT``, once it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.let.set()
        self.asked: list[str] = []

    def value(self, row: Row) -> Value:
        self.asked.append(text_of(row))
        assert self.let.wait(WAIT_S)
        return Value(f"value of {text_of(row)}", "", "number")


def shown(live: LiveReader) -> list[str]:
    """The texts that are on view."""
    frame = live.latest()
    return [text_of(line.row) for line in frame.reading.lines] if frame is not None and frame.reading else []
