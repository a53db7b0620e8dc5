"""Presence: that the device is there, what it holds and what it does, with the number of its connection."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from shared.files import write_bytes
from shared.messages import Capabilities, DeviceState, Failure
from shared.mqtt import Will


class Sessions:
    """Numbers for connections that grow for ever: over reconnects, restarts, and a clock that was set back.

    A number is the time in milliseconds, or one more than the last if that is greater. Only numbers of connections that
    came about are written down (`remember`), so that a device without a broker does not wear out its card.

    Args:
        path: the file with the last number.
        clock: Unix time in seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._last: int | None = None

    def next(self) -> int:
        """Return a number greater than any before."""
        if self._last is None:
            self._last = self._written()
        self._last = max(self._last + 1, int(self._clock() * 1000))
        return self._last

    def remember(self, session: int) -> None:
        """Write a number down.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        write_bytes(self._path, f"{session}\n".encode())

    def _written(self) -> int:
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0


class Presence:
    """The device's retained state: composed here, published by the owner.

    Changes are gathered for a moment, so that a device that flies through its activities does not flood the broker.

    Args:
        topic: where the state is published.
        sessions: numbers the connections.
        capabilities: what the device is.
        interval_s: the least time between two publications of changes, in seconds.
    """

    def __init__(self, topic: str, *, sessions: Sessions, capabilities: Capabilities, interval_s: float = 1.0) -> None:
        self.topic = topic
        self._sessions = sessions
        self._capabilities = capabilities
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._session = 0
        self._samples: dict[str, int] = {}
        self._activity = "idle"
        self._failure: Failure | None = None
        self._published = b""
        self._published_at = float("-inf")

    @property
    def session(self) -> int:
        """The number of the newest connection, or attempt at one."""
        with self._lock:
            return self._session

    def will(self) -> Will:
        """Begin a connection: number it, and return what the broker says if it breaks. For the network thread."""
        with self._lock:
            self._session = self._sessions.next()
            return Will(self.topic, DeviceState(online=False, session=self._session).encode(), qos=1, retain=True)

    def birth(self, now: float) -> bytes:
        """Return what is to be published at a new connection; its number is written down first.

        Raises:
            StorageError: the number cannot be written.
        """
        session = self.session
        self._sessions.remember(session)
        return self._compose(now)

    def death(self) -> bytes:
        """Return what is to be published before leaving in good order."""
        return DeviceState(online=False, session=self.session).encode()

    def count(self, samples: Mapping[str, int]) -> None:
        """Note how many samples of each label the device holds."""
        self._samples = dict(samples)

    def doing(self, activity: str, *, failure: Failure | None = None) -> None:
        """Note what the device does, and if that is nothing because it cannot, why."""
        self._activity, self._failure = activity, failure

    def due(self, now: float) -> bytes | None:
        """Return the state if it has changed and may be published again now."""
        if now < self._published_at + self._interval_s or self._state() == self._published:
            return None
        return self._compose(now)

    def wake_at(self) -> float | None:
        """When `due` will have something; None if nothing has changed."""
        return None if self._state() == self._published else self._published_at + self._interval_s

    def _compose(self, now: float) -> bytes:
        self._published, self._published_at = self._state(), now
        return self._published

    def _state(self) -> bytes:
        return DeviceState(
            online=True,
            session=self.session,
            samples=self._samples,
            capabilities=self._capabilities,
            activity=self._activity,
            failure=self._failure,
        ).encode()


def capabilities() -> Capabilities:
    """Describe this machine."""
    return Capabilities(
        version=_version("inkfleet"),
        runtime=f"ai-edge-litert {_version('ai-edge-litert')}",
        machine=platform.machine(),
        cores=min(os.cpu_count() or 1, 4096),
    )


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
