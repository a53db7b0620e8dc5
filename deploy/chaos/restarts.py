"""How often in a row a process that ends by itself is started again."""

from __future__ import annotations

from collections.abc import Callable

WELL_S = 30.0
"""A process that was at work for so long, in seconds, has got over what ended it before."""


class Restarts:
    """Counts the restarts of one process; what came before a time in which it ran well counts no more.

    Args:
        most: in a row.
        clock: seconds, never running backwards.
    """

    def __init__(self, *, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._done = 0
        self._at_work_since: float | None = None

    def at_work(self) -> None:
        """Say that the process has everything that it needs, and began to work."""
        self._at_work_since = self._clock()

    def again(self) -> bool:
        """Say that it ended; return whether it is to be started again."""
        since, self._at_work_since = self._at_work_since, None
        if since is not None and self._clock() >= since + WELL_S:
            self._done = 0
        if self._done >= self._most:
            return False
        self._done += 1
        return True
