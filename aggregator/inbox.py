"""What waits for the loop: our own news first, then the devices' messages, a device after the other."""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.mqtt import Backlog, Message

T = TypeVar("T")

# Whoever is told of is remembered, up to so many.
_MOST_TOLD = 1000


class Inbox(Generic[T]):
    """The queue between the threads that hear and the one that decides.

    Each device has a lane of its own, first come first served, and the lanes are served by turns: one that floods waits
    for itself. What a lane holds is bounded, see `Backlog`; its surplus is dropped, for whoever has no answer repeats
    what it said. So is what all hold together. Putting and getting take the same time however many wait.

    What is put by this process goes before: it is little, and nobody else can make it more.

    Args:
        most_bytes: of chunks in all lanes; other messages have as much again.
        lane_bytes: the same of one lane.
        crowded: told the device whose lane overflowed, once each; called on the thread that heard the message.
    """

    def __init__(self, *, most_bytes: int, lane_bytes: int, crowded: Callable[[str], None]) -> None:
        self._all = Backlog(most_bytes=most_bytes)
        self._lane_bytes = lane_bytes
        self._crowded = crowded
        self._changed = threading.Condition()
        self._own: deque[T] = deque()
        # In the order of their turns; a lane that is empty is not there.
        self._lanes: OrderedDict[str, tuple[Backlog, deque[Message]]] = OrderedDict()
        self._told: set[str] = set()

    def put(self, item: T) -> None:
        """Leave news of our own."""
        with self._changed:
            self._own.append(item)
            self._changed.notify()

    def hear(self, message: Message, *, device: str) -> bool:
        """Leave a message of a device; False where there was no room for it."""
        with self._changed:
            weights, waiting = self._lanes.get(device) or (Backlog(most_bytes=self._lane_bytes), deque())
            fits = weights.admit(message)
            room = fits and self._all.admit(message)
            if room:
                waiting.append(message)
                self._lanes[device] = (weights, waiting)
                self._changed.notify()
            elif fits:
                weights.release(message)
            tell = not fits and device not in self._told and len(self._told) < _MOST_TOLD
            if tell:
                self._told.add(device)
        if tell:
            self._crowded(device)
        return room

    def get(self, *, timeout: float) -> T | Message:
        """Take out what is next.

        Raises:
            queue.Empty: nothing came within so many seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._own or self._lanes, timeout):
                raise queue.Empty
            if self._own:
                return self._own.popleft()
            device, (weights, waiting) = self._lanes.popitem(last=False)
            message = waiting.popleft()
            weights.release(message)
            self._all.release(message)
            if waiting:
                # To the back of the row.
                self._lanes[device] = (weights, waiting)
            return message
