"""Notices that a message was lost on its way although its connection lives. No I/O.

MQTT repeats nothing while a connection lasts: a PUBLISH that got lost on it (in a broker, a proxy, a bridge) would stay
unacknowledged, and take its place in the window, for as long as the connection holds.
"""

from __future__ import annotations

from collections.abc import Callable

PASSED_OVER_S = 5.0
"""Acknowledgements come in the order of the messages (MQTT 5.0, section 4.6): one that a later one has overtaken, and
that is still not there after so many seconds, will not come."""

SILENT_S = 60.0
"""Messages of which none was acknowledged for so many seconds are lost all the same. A line that needs longer for one
chunk carries less than 7 kbit/s."""


class Acknowledgements:
    """What is not yet acknowledged on one connection, in the order it was sent.

    Args:
        clock: seconds, never running backwards.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Message → when a later one was acknowledged before it.
        self._open: dict[int, float | None] = {}
        self._moved_at = 0.0

    def sent(self, message: object) -> None:
        """A message of QoS 1 went out."""
        if not self._open:
            self._moved_at = self._clock()
        self._open[id(message)] = None

    def came(self, message: object) -> None:
        """A message was acknowledged."""
        if id(message) not in self._open:
            return
        now = self._moved_at = self._clock()
        for earlier in self._open:
            if earlier == id(message):
                break
            if self._open[earlier] is None:
                self._open[earlier] = now
        del self._open[id(message)]

    @property
    def lost(self) -> bool:
        """Whether one of them will not be acknowledged on this connection any more."""
        if not self._open:
            return False
        now = self._clock()
        passed_over_at = next(iter(self._open.values()))
        return (passed_over_at is not None and now - passed_over_at >= PASSED_OVER_S) or (
            now - self._moved_at >= SILENT_S
        )
