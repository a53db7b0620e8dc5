"""Live reading: the newest frame is read, a stable reading is shown, and nothing that takes time holds up a frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, Self

import numpy as np

from edge_client.camera.frame import Frame, Picture
from edge_client.expression.text import text_of
from edge_client.live.frame import LiveFrame
from edge_client.live.rate import Rate
from edge_client.live.stabiliser import Stabiliser
from edge_client.live.valuation import Solves, Valuation
from edge_client.reading.recent import RecentlyRead
from edge_client.reading.result import Reading
from shared.errors import InkfleetError

QUIET_S = 10.0
"""Somebody is at work before the camera until what is read has not changed for so long, in seconds."""

_POLL_S = 0.1
_JPEG_QUALITY = 82
_NO_PICTURE, _DARK = (720, 1280, 3), 32  # what is shown until a camera has given its first picture


class Reads(Protocol):
    """Reads pictures; see `edge_client.reading.Recogniser`."""

    def read(self, picture: Picture, *, recent: RecentlyRead | None = None) -> Reading:
        """Read one, as a frame after those that ``recent`` knows."""


class Gives(Protocol):
    """Gives pictures; see `edge_client.camera.Source`."""

    name: str
    live: bool

    @property
    def ended(self) -> bool:
        """Whether there will be no more."""

    @property
    def trouble(self) -> str:
        """What is the matter, in one line."""

    def start(self) -> None:
        """Begin."""

    def read(self, *, timeout_s: float) -> Frame | None:
        """Return the newest, if one comes in this time."""

    def stop(self) -> None:
        """End."""


class LiveReader:
    """Reads a source in a thread of its own until it is stopped; from any thread it can be asked what there is to see.

    Args:
        source: started and stopped with the reader.
        recogniser: reads; weights that it adopts meanwhile are in use from the next frame on.
        solver: says what the lines come to, in a thread beside.
        weights: says which weights are in use, for people; asked for every frame.
        on_update: told of every frame whose stable text is another than before, and of every picture that is no frame
            of a film; on the reader's thread.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        source: Gives,
        *,
        recogniser: Reads,
        solver: Solves,
        weights: Callable[[], str] = lambda: "",
        on_update: Callable[[LiveFrame], None] = lambda frame: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self._recogniser = recogniser
        self._recent = RecentlyRead()
        self._weights = weights
        self._on_update = on_update
        self._clock = clock
        self._valuation = Valuation(solver, on_news=self._poke)
        self._stabiliser = Stabiliser()
        self._rate = Rate()
        self._news = threading.Condition()
        self._latest: LiveFrame | None = None
        self._texts: tuple[str, ...] = ()
        self._changed_at: float | None = None
        self._fault = ""
        self._paused = False
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._poked = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._jpeg_lock = threading.Lock()
        self._jpeg: tuple[int, bytes] = (0, b"")

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the source and begin to read.

        Raises:
            DataError, RunError: the source cannot be opened; see `edge_client.camera.Source.start`.
        """
        self.source.start()
        self._valuation.start()
        self._thread = threading.Thread(target=self._run, name="reading", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and let go of the source."""
        if self._thread is None:
            return
        self._stop.set()
        self._poke()
        self._thread.join()
        self._valuation.stop()
        self.source.stop()
        with self._news:
            self._news.notify_all()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- what there is to see -----------------------------------------------------------------------------------------

    def latest(self) -> LiveFrame | None:
        """Return the newest frame; None before the first."""
        with self._news:
            return self._latest

    def wait(self, after_seq: int, timeout_s: float) -> LiveFrame | None:
        """Wait for a frame newer than ``after_seq``, for so many seconds at most; return the newest there is."""
        with self._news:
            self._news.wait_for(
                lambda: self._stop.is_set() or (self._latest is not None and self._latest.seq > after_seq), timeout_s
            )
            return self._latest

    def jpeg(self, *, most_wide: int = 1280) -> bytes:
        """Return the newest frame as a JPEG with everything drawn on it; empty before the first.

        It is made when it is asked for, once for each frame.

        Args:
            most_wide: a wider picture is made smaller, in pixels.
        """
        import cv2

        with self._jpeg_lock:
            frame = self.latest()
            if frame is None:
                return b""
            if self._jpeg[0] != frame.seq:
                picture = frame.picture
                height, width = picture.shape[:2]
                if width > most_wide:
                    size = most_wide, max(1, round(height * most_wide / width))
                    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
                self._jpeg = frame.seq, data.tobytes()
            return self._jpeg[1]

    @property
    def ended(self) -> bool:
        """Whether the source had an end, and was read to it."""
        return self._ended.is_set()

    @property
    def failure(self) -> BaseException | None:
        """What has ended the thread, if something unforeseen has."""
        return self._failure

    @property
    def busy(self) -> bool:
        """Whether somebody is at work before the camera, so that training had better wait; see `QUIET_S`."""
        at = self._changed_at
        return at is not None and not self._paused and self._clock() - at < QUIET_S

    @property
    def paused(self) -> bool:
        """Whether a person has paused reading."""
        return self._paused

    def pause(self, paused: bool = True) -> None:
        """Hold on to the frame that is shown, or go on."""
        self._paused = paused
        self._poke()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
        except BaseException as error:
            self._failure = error
            self._ended.set()
            with self._news:
                self._news.notify_all()

    def _step(self) -> None:
        idle = self._paused or self.ended
        frame = None if idle else self.source.read(timeout_s=_POLL_S)
        if frame is not None:
            self._read(frame)
            return
        if not idle and self.source.ended:
            self._ended.set()
        if idle:
            self._poked.wait(_POLL_S)
            self._poked.clear()
        self._refresh()

    def _read(self, frame: Frame) -> None:
        self._fault = ""
        stable = None
        try:
            reading = self._recogniser.read(frame.picture, recent=self._recent)
        except InkfleetError as error:
            self._fault = str(error)
        except Exception as error:  # one picture that cannot be read must not end a service
            self._fault = f"this picture cannot be read: {type(error).__name__}: {error}"
        else:
            stable = self._stabiliser.update(reading, at_s=frame.at_s, still=frame.still)
        now = self._clock()
        self._rate.note(now)
        self._publish(frame.picture, stable, title=frame.title, anew=frame.still)

    def _refresh(self) -> None:
        """Show the frame that is there anew, if something else about it has changed."""
        shown = self.latest()
        if shown is None:
            if self.source.live and self._status():
                self._publish(np.full(_NO_PICTURE, _DARK, np.uint8), None, title="")
            return
        rows = [line.row for line in shown.reading.lines] if shown.reading is not None else []
        if (shown.status, shown.weights, shown.values) != (
            self._status(),
            self._weights(),
            self._valuation.values(rows),
        ):
            self._publish(shown.raw, shown.reading, title=shown.title)

    def _publish(self, picture: Picture, stable: Reading | None, *, title: str, anew: bool = False) -> None:
        lines = stable.lines if stable is not None else ()
        texts = tuple(text_of(line.row) for line in lines)
        now = self._clock()
        frame = LiveFrame(
            self._latest.seq + 1 if self._latest is not None else 1,
            picture,
            title=title,
            reading=stable,
            values=self._valuation.values([line.row for line in lines]),
            fps=self._rate.per_second(now),
            weights=self._weights(),
            status=self._status(),
        )
        changed, self._texts = anew or texts != self._texts, texts
        if changed:
            self._changed_at = now
        with self._news:
            self._latest = frame
            self._news.notify_all()
        if changed:
            self._on_update(frame)

    def _status(self) -> str:
        if self._paused:
            return "paused"
        if self.ended:
            return self.source.trouble or f"{self.source.name} has ended"
        return self._fault or self.source.trouble

    def _poke(self) -> None:
        self._poked.set()
