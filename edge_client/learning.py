"""What a person wants to know about a device's learning, gathered from its events; and the switch that pauses it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from shared.errors import StorageError
from shared.files import write_bytes

Event = dict[str, Any]

KEPT_ROUNDS = 200
"""How many of the device's own rounds are remembered."""

_OWN_ROUND = ("samples", "train_s", "holdout_before", "holdout_after", "verdict", "reason")


class Learning:
    """Follows a device's events (`observe`) and tells what they come to (`snapshot`). Safe from any thread.

    Args:
        device: the device's name; empty for a reader that belongs to no fleet.
        fleet: the fleet's name; None without a fleet.
        path: the file that keeps the own rounds and the switch over a restart; None to keep nothing.
        kept_rounds: how many of the own rounds are remembered.
    """

    def __init__(
        self,
        *,
        device: str = "",
        fleet: str | None = None,
        path: Path | None = None,
        kept_rounds: int = KEPT_ROUNDS,
    ) -> None:
        self._path = path
        self._kept_rounds = kept_rounds
        self._news = threading.Condition()
        self._version = 0
        self._paused = False
        self._switched: Callable[[bool], None] = lambda paused: None
        self._history: list[dict[str, Any]] = []
        self._state: dict[str, Any] = {
            "device": device,
            "fleet": fleet,
            "connected": False,
            "reason": "",
            "activity": "idle",
            "run": "",
            "round": 0,
            "rounds": 0,
            "phase": "",
            "invited": False,
            "progress": None,
            "weights": None,
        }

    # -- what it tells ------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the state now, in what JSON has.

        Keys: ``version`` (grows with every change), ``device``, ``fleet`` (None without one), ``connected``,
        ``reason`` (why there is no connection, or why training waits or failed; empty if nothing is the matter),
        ``activity`` (as `edge_client.agent.Activity`), ``run``, ``round``, ``rounds``, ``phase``, ``invited`` (of the
        round that the aggregator publishes), ``progress`` (``{"batch", "batches"}`` while training, else None),
        ``history`` (own rounds, the oldest first: ``run``, ``round``, ``samples``, ``train_s``, ``holdout_before``,
        ``holdout_after``, ``verdict``, ``reason``; None for what is not known), ``weights`` (those that are read with:
        ``sha256``, ``run``, ``rounds``, ``origin`` of ``shipped``, ``fleet`` and ``file``; None if nothing is read),
        ``paused``.
        """
        with self._news:
            return {
                "version": self._version,
                **self._state,
                "history": [dict(own) for own in self._history],
                "paused": self._paused,
            }

    def wait(self, version: int, *, timeout_s: float) -> int:
        """Wait until something has changed since a version, for so many seconds at most; return the version then."""
        with self._news:
            self._news.wait_for(lambda: self._version != version, timeout_s)
            return self._version

    @property
    def reading(self) -> dict[str, Any] | None:
        """The weights that are read with, as in ``snapshot``; asked for with every frame."""
        with self._news:
            weights: dict[str, Any] | None = self._state["weights"]
            return weights

    @property
    def connected(self) -> bool:
        """Whether the broker has the device."""
        with self._news:
            return bool(self._state["connected"])

    @property
    def paused(self) -> bool:
        """Whether a person has paused training."""
        with self._news:
            return self._paused

    # -- what it is told ----------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Take up what was kept at the last run; a file that is not there or cannot be read is passed over."""
        if self._path is None:
            return
        try:
            kept = json.loads(self._path.read_bytes())
            history, paused = list(kept["history"]), bool(kept["paused"])
        except (OSError, ValueError, KeyError, TypeError):
            return
        with self._news:
            self._history = [own for own in history if isinstance(own, dict)][-self._kept_rounds :]
            self._paused = paused
            self._changed()

    def on_switch(self, switched: Callable[[bool], None]) -> None:
        """Name who is told when a person pauses or resumes training; told on the person's thread."""
        self._switched = switched

    def pause(self) -> None:
        """Train no more until `resume`; a training under way ends.

        Raises:
            StorageError: it cannot be written down, and training goes on.
        """
        self._switch(True)

    def resume(self) -> None:
        """Train again.

        Raises:
            StorageError: it cannot be written down, and training stays paused.
        """
        self._switch(False)

    def reads_with(self, sha256: str, *, origin: str, run: str = "", rounds: int = 0) -> None:
        """Note which weights are read with.

        Args:
            sha256: of their safetensors file.
            origin: ``shipped``, ``fleet`` or ``file``.
            run: that made them; empty if unknown.
            rounds: after how many rounds of it.
        """
        with self._news:
            self._state["weights"] = {"sha256": sha256, "run": run, "rounds": rounds, "origin": origin}
            self._changed()

    def observe(self, event: Event) -> None:
        """Take in an event of the device (``docs/reference/events.md``); those it has no use for are passed over."""
        with self._news:
            handle = _HANDLERS.get(event["event"])
            if handle is None:
                return
            handle(self, event)
            self._changed()

    # -- events, under the lock ---------------------------------------------------------------------------------------

    def _connected(self, event: Event) -> None:
        self._state |= {"connected": True, "reason": ""}

    def _disconnected(self, event: Event) -> None:
        self._state |= {"connected": False, "reason": event["reason"]}

    def _round(self, event: Event) -> None:
        state = self._state
        part = event["phase"] == "open" and event["invited"]
        same = (state["run"], state["round"]) == (event["run"], event["round"])
        # A round that is opened again finds the device at what it was doing for it.
        if not (part and same) or state["activity"] == "failed":
            self._doing("idle", reason=event["reason"])
        state |= {key: event[key] for key in ("run", "round", "rounds", "phase", "invited")}

    def _fetching(self, event: Event) -> None:
        self._doing("fetching")

    def _waiting(self, event: Event) -> None:
        self._doing("waiting", reason=event["reason"])

    def _training(self, event: Event) -> None:
        self._doing("training")

    def _progress(self, event: Event) -> None:
        if self._state["activity"] == "training":
            self._state["progress"] = {"batch": event["batch"], "batches": event["batches"]}

    def _trained(self, event: Event) -> None:
        self._doing("uploading")
        self._note(event)

    def _verdict(self, event: Event) -> None:
        self._doing("idle")
        self._note(event)

    def _failed(self, event: Event) -> None:
        self._doing("failed", reason=event["reason"])
        self._note(event | {"verdict": "failed"})

    def _checked(self, event: Event) -> None:
        # Where a run is finished, its last weights are fetched for their own sake: no verdict comes after.
        if self._state["phase"] == "finished":
            self._doing("idle")

    def _stopped(self, event: Event) -> None:
        self._state["connected"] = False
        self._doing("idle")

    def _doing(self, activity: str, *, reason: str = "") -> None:
        self._state |= {"activity": activity, "progress": None, "reason": reason}

    def _note(self, event: Event) -> None:
        """Add to the own round that the event is about, and keep it."""
        key = {"run": event["run"], "round": event["round"]}
        own = next((one for one in reversed(self._history) if key.items() <= one.items()), None)
        if own is None:
            own = key | dict.fromkeys(_OWN_ROUND)
            self._history.append(own)
            del self._history[: -self._kept_rounds]
        own |= {name: event[name] for name in _OWN_ROUND if name in event}
        with suppress(StorageError):  # the round counts, whether or not it can be written down
            self._keep()

    # -- the switch and the file --------------------------------------------------------------------------------------

    def _switch(self, paused: bool) -> None:
        with self._news:
            if paused == self._paused:
                return
            self._paused = paused
            try:
                self._keep()
            except BaseException:
                self._paused = not paused
                raise
            self._changed()
        self._switched(paused)

    def _keep(self) -> None:
        if self._path is not None:
            kept = {"paused": self._paused, "history": self._history}
            write_bytes(self._path, json.dumps(kept, indent=1).encode() + b"\n")

    def _changed(self) -> None:
        self._version += 1
        self._news.notify_all()


_HANDLERS: dict[str, Callable[[Learning, Event], None]] = {
    "connected": Learning._connected,
    "disconnected": Learning._disconnected,
    "broker": Learning._disconnected,
    "round": Learning._round,
    "fetching": Learning._fetching,
    "waiting": Learning._waiting,
    "training": Learning._training,
    "progress": Learning._progress,
    "trained": Learning._trained,
    "verdict": Learning._verdict,
    "failed": Learning._failed,
    "adopted": Learning._checked,
    "kept_out": Learning._checked,
    "stopped": Learning._stopped,
}
