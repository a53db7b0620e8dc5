"""What an aggregator has said, as far as a page tells it again: last events, rounds, each device's last update."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from aggregator.event_words import in_words
from aggregator.events import Event

KEPT_EVENTS = 100
"""So many of the last events are told again."""

KEPT_ROUNDS = 500
"""So many of the last rounds are shown."""

KEPT_DEVICES = 10_000
"""Of so many devices the last update is remembered; of further ones, the one that was heard of longest ago goes."""

_TROUBLES = frozenset({"declined", "expelled", "rested", "blocked", "recovered", "dropped", "rival"})
_LONGEST_WORDS = 600


@dataclass(frozen=True)
class Entry:
    """An event in words.

    Attributes:
        unix_s: when it was said, in seconds of Unix time.
        kind: of the event.
        words: for a person; what a device said of itself may stand in it.
        trouble: whether a person should look at it.
    """

    unix_s: float
    kind: str
    words: str
    trouble: bool


@dataclass(frozen=True)
class LastUpdate:
    """What became of a device's last update.

    Attributes:
        round: it was for.
        samples: it was trained on.
        verdict: it had.
        reason: why; empty for one that counts.
        unix_s: when, in seconds of Unix time; None if that was before this process began.
    """

    round: int
    samples: int
    verdict: str
    reason: str = ""
    unix_s: float | None = None


@dataclass(frozen=True)
class Said:
    """Everything that was said, at a moment.

    Attributes:
        version: differs from that of any other moment at which something else had been said.
        run: the run's name; empty until the broker is reached.
        connected: whether the broker is there.
        offline: why it is not, where it was there before.
        blocked: what cannot be written at the moment; empty if nothing.
        finished: whether all rounds are done.
        rival: whether another aggregator was heard in this fleet.
    """

    version: int = 0
    run: str = ""
    connected: bool = False
    offline: str = ""
    blocked: str = ""
    finished: bool = False
    rival: bool = False


@dataclass
class _Kept:
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    rounds: dict[int, Event] = field(default_factory=dict)
    updates: OrderedDict[str, LastUpdate] = field(default_factory=OrderedDict)


class Chronicle:
    """Listens to an aggregator (`take`, on its loop's thread) and tells what it heard. Safe from any thread.

    It holds its lock for no longer than it takes to note an event, or to copy what is kept; all that is bounded, so
    that the loop is never kept waiting.

    Args:
        clock: Unix time, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._said = Said()
        self._kept = _Kept()

    def take(self, event: Event) -> None:
        """Note an event; of a kind that nobody knows, nothing."""
        kind = event["event"]
        words = in_words(event)[:_LONGEST_WORDS]
        trouble = kind in _TROUBLES or (kind == "update" and event["verdict"] in ("rejected", "stale"))
        trouble = trouble or (kind == "broker" and not event["connected"])
        trouble = trouble or (kind == "round" and bool(event.get("aggregation", {}).get("suspects")))
        with self._lock:
            now = self._clock()
            if words:
                self._kept.entries.append(Entry(now, kind, words, trouble))
            if kind == "round":
                self._add_round(event)
            elif kind == "update":
                update = LastUpdate(event["round"], event["samples"], event["verdict"], event["reason"], now)
                self._add_update(event["device"], update)
            self._said = replace(self._said, version=self._said.version + 1, **_changes(event))

    def fill(self, rounds: Iterable[Event], updates: Iterable[tuple[str, LastUpdate]]) -> None:
        """Add what was before this process began: the rounds' lines of metrics, and the last updates that count."""
        with self._lock:
            newer, self._kept.rounds = self._kept.rounds, {}
            for line in [*rounds, *newer.values()]:
                self._add_round(line)
            for device, update in updates:
                if device not in self._kept.updates:
                    self._add_update(device, update)
            self._said = replace(self._said, version=self._said.version + 1)

    @property
    def said(self) -> Said:
        """What there is to say in a few words."""
        return self._said

    def entries(self) -> list[Entry]:
        """Return the last events, the oldest first."""
        with self._lock:
            return list(self._kept.entries)

    def rounds(self) -> list[Event]:
        """Return the last rounds' lines of metrics, in their order."""
        with self._lock:
            return list(self._kept.rounds.values())

    def updates(self) -> dict[str, LastUpdate]:
        """Return the last update of each device, as far as it is remembered."""
        with self._lock:
            return dict(self._kept.updates)

    def _add_round(self, line: Event) -> None:
        self._kept.rounds[line["round"]] = line
        while len(self._kept.rounds) > KEPT_ROUNDS:
            del self._kept.rounds[next(iter(self._kept.rounds))]

    def _add_update(self, device: str, update: LastUpdate) -> None:
        known = self._kept.updates.get(device)
        if update.verdict in ("duplicate", "stale") and known is not None:
            return  # it says nothing of the device that is not known better
        self._kept.updates[device] = update
        self._kept.updates.move_to_end(device)
        while len(self._kept.updates) > KEPT_DEVICES:
            self._kept.updates.popitem(last=False)


def _changes(event: Event) -> dict[str, Any]:
    match event["event"]:
        case "listening":
            return {"run": event["run"], "connected": True, "offline": ""}
        case "broker":
            return {"connected": event["connected"], "offline": event["reason"]}
        case "blocked":
            return {"blocked": event["reason"]}
        case "unblocked":
            return {"blocked": ""}
        case "rival":
            return {"rival": True}
        case "finished":
            return {"finished": True}
    return {}
