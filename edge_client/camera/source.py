"""Where live reading gets its pictures: the newest of a camera, a stream, a video, or a folder of pictures."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Self

from edge_client.camera.capture import Capture
from edge_client.camera.frame import Frame, Picture
from edge_client.retry import Retry
from shared.errors import InkfleetError

_STOP_S = 2.0


class Source:
    """Takes pictures in a thread of its own and keeps the newest: who reads slowly misses some, and is never behind.

    A live source that is lost is opened again, at growing intervals, until it is there. A video runs at its own pace,
    and a folder at the one it was given; both have an end unless they are looped.

    Args:
        capture: what gives the pictures.
        loop: begin a video or a folder again at its end.
        every: hand out every picture of a video or folder, as fast as they are read, and drop none.
        patient: a camera that is absent at the start is no error but one that is lost.
        on_trouble: told of every new trouble in one line, and of its end with an empty one; on the thread that takes
            the pictures.
        retry: how long to wait before a lost source is opened again.
        uniform: draws from [0, 1), for the jitter of these waits.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        loop: bool = False,
        every: bool = False,
        patient: bool = False,
        on_trouble: Callable[[str], None] = lambda line: None,
        retry: Retry | None = None,
        uniform: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = capture.name
        self.live = capture.live
        self._capture = capture
        self._loop = loop and not capture.live
        self._every = every and not capture.live
        self._patient = patient and capture.live
        self._on_trouble = on_trouble
        self._retry = retry if retry is not None else Retry(first_s=0.5, cap_s=15.0)
        self._uniform = uniform
        self._clock = clock
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._count = 0
        self._count_at_turn = 0
        self._ended = False
        self._trouble = ""
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Whether all pictures of a video or folder were handed out; never true of a camera."""
        with self._news:
            return self._ended and self._frame is None

    @property
    def trouble(self) -> str:
        """What is wrong at the moment, in one line; empty while pictures come."""
        return self._trouble

    def start(self) -> None:
        """Open the source and begin to take pictures.

        Raises:
            DataError: a file or folder has no pictures that can be read.
            RunError: a camera or stream is absent, in use, forbidden, or silent; not raised by a patient source.
        """
        opened = True
        try:
            self._capture.open()
        except InkfleetError as error:
            self._capture.close()
            if not self._patient:
                raise
            opened = False
            self._troubled(f"{error} (still trying)")
        if not self._every:
            self._thread = threading.Thread(target=self._take, args=(opened,), name="camera", daemon=True)
            self._thread.start()

    def read(self, *, timeout_s: float) -> Frame | None:
        """Return the newest picture that was not returned before; None if none comes in this time, or ever again.

        Raises:
            Exception: what ended the thread, if something unforeseen has.
        """
        if self._every:
            return self._pull()
        with self._news:
            self._news.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            if self._failure is not None:
                raise self._failure
            frame, self._frame = self._frame, None
            return frame

    def stop(self) -> None:
        """Let go of the camera or file. A camera that blocks is left to end by itself."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        else:
            self._capture.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- every picture, in the reader's own thread --------------------------------------------------------------------

    def _pull(self) -> Frame | None:
        while not self._ended and not self._stop.is_set():
            try:
                frame = self._next(skip=0)
            except InkfleetError as error:
                self._troubled(str(error))
                continue
            if frame is not None:
                return frame
            if not self._again():
                self._ended = True
        return None

    # -- the newest picture, taken by a thread ------------------------------------------------------------------------

    def _take(self, opened: bool) -> None:
        try:
            if self.live:
                while opened or self._reopen():
                    self._run_through()
                    opened = False
            else:
                self._run_through()
                while self._again():
                    self._run_through()
        except BaseException as error:
            self._failure = error
        finally:
            self._capture.close()
            with self._news:
                self._ended = True
                self._news.notify_all()

    def _run_through(self) -> None:
        """Take pictures until there are no more: at the source's own pace, or at its interval."""
        interval_s = self._capture.interval_s
        due = self._clock()
        while not self._stop.is_set():
            late = int((self._clock() - due) / interval_s) if interval_s and not self._capture.still else 0
            try:
                frame = self._next(skip=late)
            except InkfleetError as error:
                self._troubled(str(error))
                if self.live:
                    return
            else:
                if frame is None:
                    return
                with self._news:
                    self._frame = frame
                    self._news.notify_all()
            if interval_s:
                due = max(due + (late + 1) * interval_s, self._clock() - interval_s)
                self._stop.wait(max(0.0, due - self._clock()))

    def _reopen(self) -> bool:
        """Open a live source that was lost; False if the source was stopped meanwhile."""
        self._capture.close()
        self._troubled(self._trouble or f"{self.name} gives no more pictures (trying to open it again)")
        tries = 0
        while not self._stop.wait(self._retry.wait_s(tries, uniform=self._uniform)):
            try:
                self._capture.open()
                return True
            except InkfleetError as error:
                self._capture.close()
                self._troubled(f"{error} (still trying)")
                tries += 1
        return False

    # -- both ---------------------------------------------------------------------------------------------------------

    def _next(self, *, skip: int) -> Frame | None:
        picture = self._capture.next(skip=skip)
        if picture is None:
            return None
        self._troubled("")
        capture = self._capture
        at_s = self._clock()
        frame = Frame(_in_colour(picture), self._count + skip, at_s, still=capture.still, title=capture.title)
        self._count += skip + 1
        return frame

    def _troubled(self, line: str) -> None:
        if line != self._trouble:
            self._trouble = line
            self._on_trouble(line)

    def _again(self) -> bool:
        """Begin a looped source anew; False where it is none, or where the last turn gave no picture."""
        if not self._loop or self._stop.is_set() or self._count == self._count_at_turn:
            return False
        self._count_at_turn = self._count
        try:
            self._capture.open()
        except InkfleetError as error:
            self._troubled(str(error))
            return False
        return True


def _in_colour(picture: Picture) -> Picture:
    if picture.ndim == 3 and picture.shape[2] == 3:
        return picture
    from cv2 import COLOR_BGRA2BGR, COLOR_GRAY2BGR, cvtColor

    code = COLOR_BGRA2BGR if picture.ndim == 3 and picture.shape[2] == 4 else COLOR_GRAY2BGR
    colour: Picture = cvtColor(picture, code)
    return colour
