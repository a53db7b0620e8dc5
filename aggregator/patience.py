"""Waiting for what somebody may mend: a disk that is full, a database that another process holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from shared.errors import BlockedError

R = TypeVar("R")

_FIRST_S = 0.5
_CAP_S = 15.0
# How soon a wait notices that it is to end.
_LATENCY_S = 0.1


class Patience:
    """Does a piece of work until it can be done.

    Nothing is lost by waiting, and much by ending: devices keep their updates until they have a verdict, and whoever
    makes room need not know that an aggregator is to be started again. So the work is tried at growing intervals; that
    it cannot be done, and that it was done in the end, is said once each.

    Args:
        say: told ``blocked`` and ``unblocked`` with their fields, on the thread that works. It must not write to the
            disk.
        stop: ends the waiting, as `give_up` does; the work's error is raised then.
        clock: seconds, never running backwards.
    """

    def __init__(
        self, *, say: Callable[..., None], stop: threading.Event, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.say = say
        self._stop = stop
        self._clock = clock
        self._given_up = threading.Event()

    def give_up(self) -> None:
        """Wait no more, now or later, on whatever thread."""
        self._given_up.set()

    def insist(self, work: Callable[[], R]) -> R:
        """Return what the work does, tried until nothing blocks it.

        Args:
            work: does all of it or nothing, or goes on where it was.

        Raises:
            BlockedError: ``stop`` was set before it could be done.
        """
        since: float | None = None
        said = ""
        wait_s = _FIRST_S
        while True:
            try:
                done = work()
            except BlockedError as error:
                if since is None:
                    since = self._clock()
                if said != str(error):
                    said = str(error)
                    self.say("blocked", reason=said)
                if not self._wait(wait_s):
                    raise
                wait_s = min(wait_s * 2, _CAP_S)
                continue
            if since is not None:
                self.say("unblocked", reason=said, blocked_s=round(self._clock() - since, 1))
            return done

    def _wait(self, wait_s: float) -> bool:
        """Wait; False if it is to end."""
        until = time.monotonic() + wait_s
        while not self._stop.is_set() and time.monotonic() < until:
            if self._given_up.wait(min(_LATENCY_S, wait_s)):
                return False
        return not self._stop.is_set()


class NoPatience(Patience):
    """Gives up at once: for whoever only looks at a folder."""

    def __init__(self) -> None:
        super().__init__(say=_say_nothing, stop=threading.Event())
        self.give_up()


def _say_nothing(kind: str, **fields: Any) -> None:
    pass
