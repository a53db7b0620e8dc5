"""A clock that a test has rush, so that a deadline passes when it is to and at no other time."""

from __future__ import annotations

import threading
import time


class Hasty:
    """A clock; once it is told to rush, every look at it finds a second more."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._rushing = False
        self._looked = threading.Condition()

    def __call__(self) -> float:
        with self._looked:
            self._ahead_s += self._rushing
            self._looked.notify_all()
            return time.monotonic() + self._ahead_s

    def rush(self, *, by_s: float) -> None:
        """Return when so much time has passed by this clock."""
        with self._looked:
            until = self._ahead_s + by_s
            self._rushing = True
            assert self._looked.wait_for(lambda: self._ahead_s >= until, timeout=60.0)
            self._rushing = False
