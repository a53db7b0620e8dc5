"""What goes wrong and is survived, told seldom: a stranger who sends rubbish without end must not fill a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Complaints:
    """Tells at most one ``trouble`` in a while, and how many there were since the one before.

    Args:
        emit: told the event.
        clock: monotonic, in seconds.
        every_s: the while, in seconds.
    """

    def __init__(
        self, emit: Callable[[dict[str, Any]], None], *, clock: Callable[[], float], every_s: float = 10.0
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._every_s = every_s
        self._count = 0
        self._said_at = float("-inf")

    def say(self, reason: str) -> None:
        """Something went wrong."""
        self._count += 1
        if self._clock() >= self._said_at + self._every_s:
            self._emit({"event": "trouble", "reason": reason, "count": self._count})
            self._count, self._said_at = 0, self._clock()
