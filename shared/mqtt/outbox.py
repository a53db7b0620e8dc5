"""The messages on their way out: a bounded queue and the window of those not yet acknowledged. No I/O."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Outgoing:
    """One message on its way out.

    Attributes:
        topic, payload, qos, retain: as published.
        expires_at: the clock's time after which nobody wants it any more; None for never.
        tries: how often it has been handed to a connection.
    """

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expires_at: float | None = None
    tries: int = 0

    @property
    def size(self) -> int:
        """What it counts against a bound, in bytes: its text and a fixed share for the packet's header."""
        return len(self.payload) + len(self.topic) + 64


@dataclass(frozen=True)
class OutboxBounds:
    """How much may be under way.

    Attributes:
        messages: how many messages may wait or be unacknowledged before ``put`` blocks.
        size_bytes: how many bytes. One message larger than this is still taken when nothing else is there.
        window_messages: how many may be unacknowledged at a time; the broker's Receive Maximum lowers it.
        window_bytes: how many bytes may be unacknowledged at a time. Small enough that a keepalive that queues behind
            them is answered in time over a slow uplink: 512 KiB take 30 s at 140 kbit/s.
        reserve_messages: how many messages beyond ``messages`` the network thread, which must not wait, may add.
    """

    messages: int = 256
    size_bytes: int = 8 * 1024 * 1024
    window_messages: int = 20
    window_bytes: int = 512 * 1024
    reserve_messages: int = 64


class Outbox:
    """A bounded, ordered queue with a window; every method may be called from any thread.

    A message moves from *waiting* (``put``) to *in flight* (``take``) to gone (``done``). When the connection is
    lost, ``requeue`` puts what was in flight back in front, in order: at least once, never out of order.
    """

    # A message that was in flight this often when the connection broke is taken for the cause, and dropped.
    MAX_TRIES = 8

    def __init__(self, bounds: OutboxBounds, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bounds = bounds
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: deque[Outgoing] = deque()
        self._in_flight: OrderedDict[int, Outgoing] = OrderedDict()
        self._size = 0
        self._in_flight_size = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, message: Outgoing, *, timeout_s: float | None) -> bool:
        """Queue a message; wait up to ``timeout_s`` seconds for room. None: never wait, use the reserve.

        Returns:
            False if there was no room in time, or the outbox is closed.
        """
        reserve = 0 if timeout_s is not None else self._bounds.reserve_messages
        with self._changed:
            if timeout_s is not None:
                self._changed.wait_for(lambda: self._closed or self._has_room(message, reserve), timeout_s)
            if self._closed or not self._has_room(message, reserve):
                return False
            self._waiting.append(message)
            self._size += message.size
            return True

    def take(self, *, receive_maximum: int = 65535) -> Outgoing | None:
        """Move the next message into the window, or return None if there is none or the window is full.

        Messages past their expiry are dropped on the way.
        """
        window = min(self._bounds.window_messages, receive_maximum)
        with self._changed:
            while self._waiting:
                message = self._waiting[0]
                if message.expires_at is not None and self._clock() >= message.expires_at:
                    self._waiting.popleft()
                    self._forget(message)
                    continue
                if len(self._in_flight) >= window:
                    return None
                if self._in_flight and self._in_flight_size + message.size > self._bounds.window_bytes:
                    return None
                self._waiting.popleft()
                self._in_flight[id(message)] = message
                self._in_flight_size += message.size
                message.tries += 1
                return message
        return None

    def done(self, message: Outgoing) -> None:
        """Let go of a message in flight: it was acknowledged, or will never be."""
        with self._changed:
            if self._in_flight.pop(id(message), None) is not None:
                self._in_flight_size -= message.size
                self._forget(message)

    def requeue(self) -> list[Outgoing]:
        """Put what was in flight back in front; the connection is gone.

        Messages of QoS 0 are let go, as their contract says.

        Returns:
            the messages dropped because they were in flight at too many broken connections.
        """
        with self._changed:
            dropped = []
            for message in reversed(self._in_flight.values()):
                if message.qos == 0:
                    self._forget(message)
                elif message.tries >= self.MAX_TRIES:
                    self._forget(message)
                    dropped.append(message)
                else:
                    self._waiting.appendleft(message)
            self._in_flight.clear()
            self._in_flight_size = 0
            return dropped

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until every message is acknowledged; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or len(self) == 0, timeout_s) and len(self) == 0

    def close(self) -> None:
        """Take nothing more, and wake all who wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, message: Outgoing, reserve: int) -> bool:
        count = len(self)
        if count == 0:
            return True
        if count >= self._bounds.messages + reserve:
            return False
        return reserve > 0 or self._size + message.size <= self._bounds.size_bytes

    def _forget(self, message: Outgoing) -> None:
        self._size -= message.size
        self._changed.notify_all()
