"""How often something happens, lately."""

from __future__ import annotations

from collections import deque


class Rate:
    """A moving average of events a second.

    Args:
        window_s: over how long, in seconds.
    """

    def __init__(self, *, window_s: float = 2.0) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def note(self, now_s: float) -> None:
        """Note that it happened."""
        self._times.append(now_s)

    def per_second(self, now_s: float) -> float:
        """Return how often it happened a second; 0 if it did not lately."""
        times = self._times
        # One event older than the window is kept, so that a slow reader has a rate too.
        while len(times) > 2 and times[1] < now_s - self._window_s:
            times.popleft()
        if len(times) < 2 or times[-1] < now_s - max(self._window_s, 2 * (times[-1] - times[0])):
            return 0.0
        span = times[-1] - times[0]
        return (len(times) - 1) / span if span > 0 else 0.0
