"""A clock that stands still while nothing could come: this process sleeps, or has no broker."""

from __future__ import annotations

import threading
from collections.abc import Callable


class AwakeClock:
    """Seconds in which the process was awake and could hear its devices.

    A process that is stopped for an hour, or whose machine sleeps, hears nothing of its devices meanwhile: by the
    system's clock a round's deadline would pass before the first message is looked at. Time in which nobody asked for
    the time does not count, but for ``most_s`` of it; the aggregator's loop asks ten times a second. Nor does time
    count between `hold` and `release`: a broker that is gone for an hour, or a disk that is full for one, takes no
    deadline away.

    Called from any thread; never runs backwards.

    Args:
        clock: seconds, never running backwards; the time that is cut.
        most_s: how much of a gap counts.
    """

    def __init__(self, clock: Callable[[], float], *, most_s: float = 3.0) -> None:
        self._clock = clock
        self._most_s = most_s
        self._lock = threading.Lock()
        self._asked_at: float | None = None
        self._slept_s = 0.0
        self._held = False

    def __call__(self) -> float:
        with self._lock:
            return self._now()

    def hold(self) -> None:
        """Stand still until `release`."""
        with self._lock:
            self._now()
            self._held = True

    def release(self) -> None:
        """Go on from where it was held; nothing happens where it was not."""
        with self._lock:
            self._now()
            self._held = False

    def _now(self) -> float:
        now = self._clock()
        if self._asked_at is not None:
            self._slept_s += max(0.0, now - self._asked_at - (0.0 if self._held else self._most_s))
        self._asked_at = now
        return now - self._slept_s
