"""What waits for the device's own thread: functions to run, and the broker's messages."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection
from functools import partial

from shared.mqtt import Backlog, Message

# What may wait, see `Backlog`.
_MOST_BYTES = 32 * 1024 * 1024


class Inbox:
    """The queue between the threads that hear and the one that a device lives on.

    What waits of the messages is bounded, and the surplus passed over, for whoever has no answer repeats what it said.
    Of the topics whose last word is the whole truth only the newest waits, and that is never lost.

    Args:
        newest_only: those topics.
        take: given each message in its turn, on the device's thread.
    """

    def __init__(self, *, newest_only: Collection[str], take: Callable[[Message], None]) -> None:
        self._newest_only = frozenset(newest_only)
        self._take = take
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._backlog = Backlog(most_bytes=_MOST_BYTES)
        self._newest: dict[str, Message] = {}
        self._newest_lock = threading.Lock()

    @property
    def passed_over(self) -> int:
        """How many messages there was no room for."""
        return self._backlog.passed_over

    def put(self, task: Callable[[], None]) -> None:
        """Have a function run on the device's thread; from any thread."""
        self._queue.put(task)

    def hear(self, message: Message) -> None:
        """Leave a message, unless too much is there already; on the network thread."""
        if message.topic in self._newest_only:
            with self._newest_lock:
                waits = message.topic in self._newest
                self._newest[message.topic] = message
            if not waits:
                self._queue.put(partial(self._take_newest, message.topic))
        elif self._backlog.admit(message):
            self._queue.put(partial(self._take_next, message))

    def get(self, *, timeout_s: float) -> Callable[[], None] | None:
        """Take out what is next, on the device's thread; None if nothing comes within so many seconds."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None

    def _take_newest(self, topic: str) -> None:
        with self._newest_lock:
            message = self._newest.pop(topic)
        self._take(message)

    def _take_next(self, message: Message) -> None:
        self._backlog.release(message)
        self._take(message)
