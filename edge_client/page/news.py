"""What is new for whoever looks at the page: samples, the round, and what the camera reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from edge_client.page.backend import Backend, LiveFrame
from edge_client.page.reading_json import shown_line

_AT_ONCE = 200


class News:
    """Tells the page's state in JSON. Safe from any thread.

    Args:
        backend: the parts of the device.
        clock: Unix time, in seconds.
    """

    def __init__(self, backend: Backend, *, clock: Callable[[], float] = time.time) -> None:
        self._backend = backend
        self._clock = clock
        self._lock = threading.Lock()
        self._version = 0

    @property
    def version(self) -> int:
        """Grows whenever the page has changed the samples."""
        with self._lock:
            return self._version

    def samples_changed(self) -> None:
        """Note that samples were added or deleted."""
        with self._lock:
            self._version += 1

    def samples(self) -> dict[str, Any]:
        """Say how many samples there are."""
        counts = self._backend.store.counts()
        return {"total": sum(counts.values()), "labels": counts, "today": self.added_today()}

    def added_today(self) -> int:
        """Count the samples that a person has said something about since midnight, local time."""
        day = time.localtime(self._clock())
        midnight = time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))
        count = offset = 0
        while page := self._backend.store.samples(offset=offset, limit=_AT_ONCE):
            recent = [sample for sample in page if sample.added_unix_s >= midnight]
            count += sum(sample.corrected for sample in recent)
            if len(recent) < len(page):
                break
            offset += _AT_ONCE
        return count

    def learning(self) -> dict[str, Any]:
        """Say what the device learns."""
        return self._backend.learning.snapshot()

    @property
    def live_version(self) -> tuple[object, ...]:
        """Differs whenever `live` has something to say that a person would notice."""
        frame = self._backend.live.latest() if self._backend.live is not None else None
        if frame is None:
            return ()
        return frame.reading, frame.values, frame.status, frame.weights, round(frame.fps)

    def live(self) -> dict[str, Any]:
        """Say what the camera shows."""
        if self._backend.live is None:
            return {"camera": False}
        frame = self._backend.live.latest()
        return {"camera": True, "seq": 0, "lines": None} if frame is None else _frame_json(frame)


def _frame_json(frame: LiveFrame) -> dict[str, Any]:
    lines = None
    if frame.reading is not None:
        values = [*frame.values, *[None] * len(frame.reading.lines)]
        lines = [shown_line(line, value) for line, value in zip(frame.reading.lines, values, strict=False)]
    return {
        "camera": True,
        "seq": frame.seq,
        "fps": round(frame.fps, 1),
        "weights": frame.weights,
        "status": frame.status,
        "lines": lines,
    }
