"""How much the messages that wait for a thread may weigh."""

from __future__ import annotations

import threading

from shared.mqtt.message import Message


class Backlog:
    """Weighs the messages between the network thread and the one that works them off.

    Chunks are let in up to ``most_bytes``, for whoever lacks one asks for it again; other messages up to twice as much.
    Where nothing waits, any message is let in.
    Call it from any thread.

    Args:
        most_bytes: see above.
    """

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._passed_over = 0

    @property
    def waiting_bytes(self) -> int:
        """What those that wait weigh: what they take in memory, about."""
        with self._lock:
            return self._bytes

    @property
    def passed_over(self) -> int:
        """How many messages found no room."""
        with self._lock:
            return self._passed_over

    def admit(self, message: Message) -> bool:
        """Count a message that is to wait; False if there is no room for it."""
        weight, bound = _weight(message), self._most_bytes
        if not _is_chunk(message):
            bound *= 2
        with self._lock:
            if self._bytes and self._bytes + weight > bound:
                self._passed_over += 1
                return False
            self._bytes += weight
        return True

    def release(self, message: Message) -> None:
        """A message that was admitted waits no more."""
        with self._lock:
            self._bytes -= _weight(message)


def _is_chunk(message: Message) -> bool:
    return "/chunk/" in message.topic or "/blob/" in message.topic


def _weight(message: Message) -> int:
    """What a message takes in memory, in bytes: an empty one takes some too."""
    return len(message.payload) + len(message.topic) + 512
