"""A clock that a test has rush, so that a deadline passes when it is to and at no other time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

ROUND_S = 40.0
"""A deadline that does not pass by itself, and is rushed past before an aggregator finds the silence suspicious."""


class Hasty:
    """A clock; told to rush, it is ahead by a second more at every look, until it is as far ahead as it was told.

    Args:
        standing: otherwise it stands still, so that nothing happens because of the time that a test takes.
    """

    def __init__(self, *, standing: bool = False) -> None:
        self._base: Callable[[], float] = (lambda: 100.0) if standing else time.monotonic
        self._ahead_s = 0.0
        self._goal_s = 0.0
        self._looked = threading.Condition()

    def __call__(self) -> float:
        with self._looked:
            self._ahead_s += min(1.0, self._goal_s - self._ahead_s)
            self._looked.notify_all()
            return self._base() + self._ahead_s

    def rush(self, *, by_s: float) -> None:
        """Return when so much time has passed by this clock, or nobody looks at it any more."""
        with self._looked:
            self._goal_s += by_s
            while self._ahead_s < self._goal_s and self._looked.wait(10.0):
                pass
