"""What is known of a run while it goes on: the aggregator's events, summed up. No I/O, no clock of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """One run so far.

    Attributes:
        partition: as the user wrote it.
        rounds: how many there will be.
        devices: the names of all devices.
        online: how many of them the aggregator sees.
        round: the round that is open; 0 before the first.
        attempt: how often it was opened.
        invited: who trains in it.
        received: whose updates are there.
        accuracies: of every round that was evaluated, in order.
        closed: how many rounds are averaged.
    """

    partition: str
    rounds: int
    devices: tuple[str, ...]
    online: int = 0
    round: int = 0
    attempt: int = 1
    invited: tuple[str, ...] = ()
    received: set[str] = field(default_factory=set)
    accuracies: dict[int, float] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    bytes_up: int = 0
    bytes_down: int = 0
    closed: int = 0
    _opened_at: float | None = None
    _closed_first: int = 0

    def take(self, event: dict[str, Any], *, now: float) -> None:
        """Sum up one more event; events of a newer version that nobody knows change nothing.

        Args:
            event: as the aggregator says it.
            now: seconds, from any beginning.
        """
        kind = event.get("event")
        if kind == "device":
            self.online = int(event.get("devices", self.online))
        elif kind == "opened":
            if int(event["round"]) != self.round:
                self.received = set()
            self.round, self.attempt = int(event["round"]), int(event.get("attempt", 1))
            self.invited = tuple(event.get("invited", ()))
            if self._opened_at is None:
                self._opened_at, self._closed_first = now, self.round - 1
        elif kind == "update" and event.get("verdict") == "accepted":
            self.received.add(str(event["device"]))
        elif kind == "closed":
            self.closed = int(event["round"])
        elif kind == "round":
            number = int(event["round"])
            self.accuracies[number], self.losses[number] = float(event["accuracy"]), float(event["loss"])
            self.bytes_up += int(event["bytes_up"])
            self.bytes_down += int(event["bytes_down"])

    def activity(self, reported: dict[str, str]) -> dict[str, str]:
        """Say what each device does: what it reports, and whether its update of this round is there already."""
        return {
            name: "done" if name in self.received else reported.get(name, "away" if self.round else "starting")
            for name in self.devices
        }

    def activities(self, reported: dict[str, str]) -> Counter[str]:
        """Count the devices by what they do."""
        return Counter(self.activity(reported).values())

    def left_s(self, *, now: float) -> float | None:
        """Estimate how long the rounds will still take, in seconds; None before the first is over."""
        done = self.closed - self._closed_first
        if self._opened_at is None or done < 1:
            return None
        return (now - self._opened_at) / done * (self.rounds - self.closed)

    def share(self) -> float:
        """Return the part of the run that is done, 0 to 1; updates that are there count for their part of a round."""
        open_part = len(self.received) / len(self.invited) if self.invited and self.round > self.closed else 0.0
        return min(1.0, (self.closed + open_part) / self.rounds)
