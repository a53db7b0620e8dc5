"""What the page is told, put together no more often than it costs little to do so."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from aggregator.events import Event
from aggregator.page.chronicle import Chronicle, Said
from aggregator.page.device_rows import device_rows
from aggregator.page.members import Members
from aggregator.page.past import rounds_of, updates_of
from aggregator.settings import AggregatorSettings
from aggregator.standing import Lookout, Standing
from shared.web.news import Topic

_EVERY_S = 0.25
"""So often at most it is looked whether something is new."""

_SHARE = 0.04
"""So much of one core at most goes into that, whatever the size of the fleet and however many look on."""

_NOTICES_EVERY_S = 60.0

_ANSWERS_WITHIN_S = 0.5
"""So long the loop is waited for where nobody has looked on for a while."""


class FleetNews:
    """Tells how the fleet is. Safe from any thread; it never keeps the aggregator's loop waiting.

    Args:
        settings: of the aggregator.
        lookout: where the loop leaves how the run stands.
        chronicle: what the aggregator has said.
        members: who was enrolled.
        clock: seconds, never running backwards.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        lookout: Lookout,
        chronicle: Chronicle,
        members: Members,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._lookout = lookout
        self._chronicle = chronicle
        self._members = members
        self._clock = clock
        self._lock = threading.Lock()
        self._again_at = float("-inf")
        self._filled_for = ""
        self._notices: list[str] = []
        self._notices_at = float("-inf")
        self._now: dict[str, Any] = {}
        self._devices: dict[str, Any] = {}
        self._versions = {"now": 0, "devices": 0}
        self._over_at: float | None = None
        self._until: float | None = None

    def topics(self) -> list[Topic]:
        """Return what can be told, and which version of it there is."""
        self._look()
        rounds = self._chronicle.rounds()
        return [
            Topic("now", self._versions["now"], self.now),
            Topic("devices", self._versions["devices"], self.devices, lasts=True),
            Topic("rounds", (len(rounds), rounds[-1]["round"] if rounds else 0), self.rounds, lasts=True),
            Topic("log", self._chronicle.said.version, self.log, lasts=True),
        ]

    def now(self) -> dict[str, Any]:
        """Say how the run stands; see ``docs/reference/page-api.md``."""
        self._look()
        with self._lock:
            left_s = None if self._over_at is None else max(0.0, round(self._over_at - self._clock(), 1))
            return {**self._now, "left_s": left_s}

    def devices(self) -> dict[str, Any]:
        """Say which devices there are."""
        self._look()
        return self._devices

    def rounds(self) -> list[dict[str, Any]]:
        """Say what the rounds came to, in their order."""
        return [_round(line) for line in self._chronicle.rounds()]

    def log(self) -> list[dict[str, Any]]:
        """Tell the last events again, the newest first."""
        return [
            {"unix_s": round(entry.unix_s, 1), "kind": entry.kind, "words": entry.words, "trouble": entry.trouble}
            for entry in reversed(self._chronicle.entries())
        ]

    def _look(self) -> None:
        with self._lock:
            began = self._clock()
            if began < self._again_at:
                return
            said = self._chronicle.said
            if said.run and said.run != self._filled_for:
                self._filled_for = said.run
                folder = self._settings.folder
                self._chronicle.fill(rounds_of(folder, said.run), updates_of(folder, said.run))
            # Before it listens, the loop answers nobody.
            latest = self._lookout.look(within_s=_ANSWERS_WITHIN_S if said.run else 0.0)
            said, worked_from = self._chronicle.said, self._clock()
            standing = latest[0] if latest is not None else None
            members = self._members.look()
            if began - self._notices_at >= _NOTICES_EVERY_S:
                self._notices, self._notices_at = self._members.notices(), began
            devices = device_rows(standing, updates=self._chronicle.updates(), members=members)
            now = self._told(standing, said) | {"online": devices["online"], "devices": devices["total"]}
            self._over_at, until = None, None
            if latest is not None and latest[0].wait is not None and math.isfinite(latest[0].left_s):
                self._over_at = worked_from - latest[1] + latest[0].left_s
                until = latest[0].wait.until
            # Of a new wait a page has to hear; that one grows shorter, it knows.
            if (now, until) != (self._now, self._until):
                self._now, self._until = now, until
                self._versions["now"] += 1
            if devices != self._devices:
                self._devices = devices
                self._versions["devices"] += 1
            took_s = self._clock() - worked_from
            self._again_at = began + max(_EVERY_S, took_s / _SHARE)

    def _told(self, standing: Standing | None, said: Said) -> dict[str, Any]:
        settings = self._settings
        view = standing.round if standing is not None else None
        first = view is None or (view.round == 1 and view.attempt == 1)
        need = max(settings.quorum, 1, *((settings.min_devices, settings.per_round) if first else ()))
        return {
            "fleet": settings.fleet,
            "broker": settings.broker.rpartition("@")[2],
            "run": said.run,
            "connected": said.connected,
            "offline": said.offline,
            "blocked": said.blocked,
            "rival": said.rival,
            "finished": said.finished,
            "phase": view.phase if view is not None and said.run else "starting",
            "round": view.round if view is not None else 0,
            "rounds": settings.rounds,
            "attempt": view.attempt if view is not None else 1,
            "attempts": settings.max_attempts,
            "invited": len(view.invited) if view is not None else 0,
            "received": len(view.contributions) if view is not None else 0,
            "quorum": view.quorum if view is not None else 0,
            "need": need,
            "span_s": settings.deadline_s,
            "tested": settings.test_data is not None,
            "committed": standing.committed if standing is not None else 0,
            "weights_sha256": standing.weights_sha256 if standing is not None else "",
            "labels": settings.labels if settings.model is None else settings.model.name,
            "aggregation": settings.aggregation,
            "enrolled": settings.identity is not None,
            "notices": self._notices,
        }


def _round(line: Event) -> dict[str, Any]:
    held = line.get("holdout_after") or {}
    return {
        "round": line["round"],
        "accuracy": line.get("accuracy"),
        "loss": line.get("loss"),
        "own": held.get("accuracy"),
        "participants": line.get("participants"),
        "samples": line.get("samples"),
        "wall_s": line.get("wall_s"),
        "bytes_up": line.get("bytes_up"),
        "bytes_down": line.get("bytes_down"),
        "suspects": sorted((line.get("aggregation") or {}).get("suspects") or {}),
    }
