"""A device without its broker says so, and gives up if that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_client.retry import Retry
from shared.errors import BrokerError
from shared.mqtt import MqttLink

_SAY_AGAIN = Retry(first_s=2.0, cap_s=300.0)
_FIRST_S = 0.3


class BrokerSearch:
    """Says why there is no broker: soon, and then at growing intervals. The link does the searching.

    All methods belong to the device's thread.

    Args:
        link: to the broker.
        wait_s: how long the first search may take, in seconds; 0 for as long as it takes.
        emit: told the event ``broker``.
        uniform: draws from [0, 1); the source of jitter.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        link: MqttLink,
        *,
        wait_s: float,
        emit: Callable[[dict[str, Any]], None],
        uniform: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._link = link
        self._wait_s = wait_s
        self._emit = emit
        self._uniform = uniform
        self._clock = clock
        self._said = 0
        self._say_at: float | None = clock() + _FIRST_S
        self._give_up_at = clock() + wait_s if wait_s else None

    @property
    def on(self) -> bool:
        """Whether there is no broker, as far as the device has been told."""
        return self._say_at is not None

    @property
    def wake_at(self) -> float | None:
        """When `look` has something to do, by the clock."""
        return min((at for at in (self._say_at, self._give_up_at) if at is not None), default=None)

    def found(self) -> None:
        """The broker has us."""
        self._say_at = self._give_up_at = None
        self._said = 0

    def lost(self) -> None:
        """The connection was lost, which was said."""
        self._say_at = self._clock() + _SAY_AGAIN.wait_s(0, uniform=self._uniform)
        self._said = 1

    def look(self) -> None:
        """Say why there is no broker, if it is time.

        Raises:
            BrokerError: it was given up, or the broker turns us away for good.
        """
        now = self._clock()
        if self._say_at is not None and now >= self._say_at:
            trouble = self._link.trouble
            if trouble:
                self._emit({"event": "broker", "reason": trouble})
                self._say_at = now + _SAY_AGAIN.wait_s(self._said, uniform=self._uniform)
                self._said += 1
            else:
                self._say_at = now + _FIRST_S
        if self._give_up_at is not None and (now >= self._give_up_at or self._link.refused):
            reason = self._link.trouble or f"broker {self._link.address} does not answer"
            raise BrokerError(reason if self._link.refused else f"{reason} (given up after {self._wait_s:g} s)")
