"""Says what was read, once each, with what it comes to: the words come in order, and no frame waits for them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Self

from edge_client.expression.value import Value
from edge_client.live.frame import LiveFrame
from edge_client.live.valuation import Solves


class Announcer:
    """Takes frames whose stable text is new, has their lines solved, and tells of them in a thread of its own.

    Args:
        solver: says what lines come to.
        tell: told of every frame with the values of its lines, on the announcer's thread.
    """

    def __init__(self, solver: Solves, *, tell: Callable[[LiveFrame, tuple[Value, ...]], None]) -> None:
        self._solver = solver
        self._tell = tell
        self._frames: queue.SimpleQueue[LiveFrame | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hurried = False
        self.failure: BaseException | None = None
        """What has ended the telling; nothing is told any more."""

    def add(self, frame: LiveFrame) -> None:
        """Have a frame told of; from any thread, returns at once."""
        self._frames.put(frame)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Tell of everything that was added, and end; after an exception, without the telling."""
        self._hurried = kind is not None
        self._frames.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while (frame := self._frames.get()) is not None and not self._hurried:
                lines = frame.reading.lines if frame.reading is not None else ()
                self._tell(frame, tuple(self._solver.value(line.row) for line in lines))
        except BaseException as error:
            self.failure = error
