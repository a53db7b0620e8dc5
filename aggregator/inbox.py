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
# What a lane takes in memory beside its messages, in bytes.
_LANE_BYTES = 1536


class _Lane:
    """One device's messages, and what they weigh."""

    def __init__(self, *, most_bytes: int) -> None:
        self.messages: deque[Message] = deque()
        self._backlog = Backlog(most_bytes=most_bytes)

    @property
    def weight(self) -> int:
        """In bytes; of an empty lane as well."""
        return _LANE_BYTES + self._backlog.waiting_bytes

    def append(self, message: Message) -> bool:
        """Take a message in at the end; False if there is no room for it."""
        if not self._backlog.admit(message):
            return False
        self.messages.append(message)
        return True

    def take(self, *, newest: bool = False) -> Message:
        """Take the next message out, or the one that came last."""
        message = self.messages.pop() if newest else self.messages.popleft()
        self._backlog.release(message)
        return message


class _ByWeight:
    """Lanes by the power of two that they weigh, so that one of the heaviest is found without looking at all."""

    def __init__(self) -> None:
        # Dictionaries for their order; the values mean nothing.
        self._classes: list[dict[str, None]] = [{} for _ in range(64)]

    def move(self, device: str, *, before: int, after: int) -> None:
        """A lane that weighed so much, or 0, weighs so much now, or 0."""
        old, new = before.bit_length(), after.bit_length()
        if old != new:
            self._classes[old].pop(device, None)
            if new:
                self._classes[new][device] = None

    def heavy(self) -> str:
        """Name a lane that weighs more than half of what the heaviest does."""
        return next(next(iter(lanes)) for lanes in reversed(self._classes) if lanes)


class Inbox(Generic[T]):
    """The queue between the threads that hear and the one that decides.

    Each device has a lane of its own, first come first served, and the lanes are served by turns: one that floods waits
    for itself. What a lane holds is bounded, see `Backlog`; its surplus is dropped, for whoever has no answer repeats
    what it said.

    So is what all hold together. Where they leave no room, the newest message of a lane that is among the heaviest
    gives way to one of a lighter lane (the rule of McKenney, "Stochastic Fairness Queueing", 1990, to drop from the
    longest queue). So with n lanes in use, however many of them flood, each finds room for half of ``most_bytes / n``.

    Putting and getting take the same time however many wait.

    What is put by this process goes before: it is little, and nobody else can make it more.

    Args:
        most_bytes: of all lanes together.
        lane_bytes: of chunks in one lane; other messages have as much again.
        crowded: told the device whose lane overflowed or gave way, once each; called on the thread that heard.
    """

    def __init__(self, *, most_bytes: int, lane_bytes: int, crowded: Callable[[str], None]) -> None:
        self._most_bytes = most_bytes
        self._lane_bytes = lane_bytes
        self._crowded = crowded
        self._changed = threading.Condition()
        self._own: deque[T] = deque()
        # In the order of their turns; a lane that is empty is not there.
        self._lanes: OrderedDict[str, _Lane] = OrderedDict()
        self._by_weight = _ByWeight()
        self._bytes = 0
        self._told: set[str] = set()

    @property
    def waiting_bytes(self) -> int:
        """What the devices' messages take in memory, about."""
        with self._changed:
            return self._bytes

    def put(self, item: T) -> None:
        """Leave news of our own."""
        with self._changed:
            self._own.append(item)
            self._changed.notify()

    def hear(self, message: Message, *, device: str) -> bool:
        """Leave a message of a device; False where there was no room for it."""
        with self._changed:
            lane = self._lanes.get(device) or _Lane(most_bytes=self._lane_bytes)
            before = lane.weight if lane.messages else 0
            fits = lane.append(message)
            crowds = set() if fits else {device}
            room = False
            if fits:
                self._lanes[device] = lane
                self._weigh(device, lane, before=before)
                crowds = self._make_room(device, lane)
                room = bool(lane.messages) and lane.messages[-1] is message
                self._changed.notify()
            tell = [one for one in sorted(crowds) if one not in self._told][: _MOST_TOLD - len(self._told)]
            self._told.update(tell)
        for one in tell:
            self._crowded(one)
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
            device, lane = next(iter(self._lanes.items()))
            message = self._take(device, lane)
            if lane.messages:
                # To the back of the row.
                self._lanes.move_to_end(device)
            return message

    def _make_room(self, newcomer: str, lane: _Lane) -> set[str]:
        """Drop the newest messages of heavy lanes until what waits is within its bound; return whose.

        Where no lane is heavier than the newcomer's, its own newest message goes, and nobody is named: it is only one
        too many.
        """
        gave_way: set[str] = set()
        while self._bytes > self._most_bytes and (len(self._lanes) > 1 or len(lane.messages) > 1):
            heavy = self._by_weight.heavy()
            if self._lanes[heavy].weight <= lane.weight:
                self._take(newcomer, lane, newest=True)
                break
            self._take(heavy, self._lanes[heavy], newest=True)
            gave_way.add(heavy)
        return gave_way

    def _take(self, device: str, lane: _Lane, *, newest: bool = False) -> Message:
        before = lane.weight
        message = lane.take(newest=newest)
        if not lane.messages:
            del self._lanes[device]
        self._weigh(device, lane, before=before)
        return message

    def _weigh(self, device: str, lane: _Lane, *, before: int) -> None:
        after = lane.weight if lane.messages else 0
        self._bytes += after - before
        self._by_weight.move(device, before=before, after=after)
