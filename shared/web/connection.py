"""Connections within bounds: whoever opens many and says nothing takes no place from those who ask for something."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 96
"""So many are open at once; one more, and that which has said nothing for the longest time is closed."""

HEAD_DEADLINE_S = 10.0
"""A request whose head takes longer to come is given up."""


class Connection(H11Protocol):
    """One connection of a browser. uvicorn alone neither bounds their number nor how long a request may take to come.

    Without this, anybody in the network who knows no token could hold every place, and every file descriptor.
    """

    _begun_s = 0.0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many, another one makes room."""
        super().connection_made(transport)
        self._begun_s = self.loop.time()
        self._await_head()
        if len(self.connections) > MOST_CONNECTIONS:
            self._most_idle().give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take some bytes of a request."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_is_here()
        elif self._head_timer is None:
            self._await_head()

    def give_up(self) -> None:
        """Close at once, whatever is under way."""
        self.connections.discard(self)
        self.transport.abort()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_DEADLINE_S, self.give_up)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _most_idle(self) -> Connection:
        """Return the oldest that awaits a request; if none does, the oldest that awaits its body; else this one."""
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        for state in (h11.IDLE, h11.SEND_BODY):
            waiting = [one for one in others if one.conn.their_state is state]
            if waiting:
                return min(waiting, key=lambda one: one._begun_s)
        return self
