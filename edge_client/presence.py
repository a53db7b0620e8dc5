"""Presence: that the device is there, what it holds and what it does, with the number of its connection."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Mapping
from importlib import metadata

from shared.messages import Capabilities, DeviceState, Failure
from shared.mqtt import Will
from shared.rising_numbers import RisingNumbers
from shared.signing import NoSeal, Seal

REPEAT_S = 10.0
"""After so many seconds an unchanged state is said again, then after twice as many, and so on."""

LONGEST_REPEAT_S = 640.0


class Presence:
    """The device's retained state: composed here, published by the owner.

    Changes are gathered for a moment, so that a device that flies through its activities does not flood the broker.
    What did not change is said again after `REPEAT_S`, twice that, and so on: an aggregator hears presence at QoS 0,
    and what it missed would be missed until the next change.

    Args:
        topic: where the state is published.
        sessions: numbers the connections.
        capabilities: what the device is.
        interval_s: the least time between two publications of changes, in seconds.
        seal: signs what is published.
    """

    def __init__(
        self,
        topic: str,
        *,
        sessions: RisingNumbers,
        capabilities: Capabilities,
        interval_s: float = 1.0,
        seal: Seal | None = None,
    ) -> None:
        self.topic = topic
        self._seal = seal or NoSeal()
        self._sessions = sessions
        self._capabilities = capabilities
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._session = 0
        self._samples: dict[str, int] = {}
        self._activity = "idle"
        self._paused = False
        self._failure: Failure | None = None
        self._published = b""
        self._published_at = float("-inf")
        self._repeat_s = REPEAT_S

    @property
    def session(self) -> int:
        """The number of the newest connection, or attempt at one."""
        with self._lock:
            return self._session

    def will(self) -> Will:
        """Begin a connection: number it, and return what the broker says if it breaks. For the network thread."""
        with self._lock:
            self._session = self._sessions.next()
            return Will(self.topic, self._death(self._session), qos=1, retain=True)

    def birth(self, now: float) -> bytes:
        """Return what is to be published at a new connection; its number is written down first.

        Raises:
            StorageError: the number cannot be written.
        """
        session = self.session
        self._sessions.remember(session)
        return self._compose(now)

    def renewed(self, now: float) -> bytes:
        """Return the state once more, changed or not: whoever it was for may have missed it."""
        return self._compose(now)

    def death(self) -> bytes:
        """Return what is to be published before leaving in good order."""
        return self._death(self.session)

    def count(self, samples: Mapping[str, int]) -> None:
        """Note how many samples of each label the device holds."""
        self._samples = dict(samples)

    def doing(self, activity: str, *, paused: bool = False, failure: Failure | None = None) -> None:
        """Note what the device does, whether training is paused, and if it can do nothing, why."""
        self._activity, self._paused, self._failure = activity, paused, failure

    def due(self, now: float) -> bytes | None:
        """Return the state if it has changed and may be published again now, or if it is time to repeat it."""
        if now < self.wake_at():
            return None
        repeat_s = min(2 * self._repeat_s, LONGEST_REPEAT_S) if self._state() == self._published else REPEAT_S
        state = self._compose(now)
        self._repeat_s = repeat_s
        return state

    def wake_at(self) -> float:
        """When `due` will have something."""
        return self._published_at + (self._repeat_s if self._state() == self._published else self._interval_s)

    def _compose(self, now: float) -> bytes:
        self._published, self._published_at, self._repeat_s = self._state(), now, REPEAT_S
        return self._seal.sign(self.topic, self._published)

    def _death(self, session: int) -> bytes:
        return self._seal.sign(self.topic, DeviceState(online=False, session=session).encode())

    def _state(self) -> bytes:
        return DeviceState(
            online=True,
            session=self.session,
            samples=self._samples,
            capabilities=self._capabilities,
            activity=self._activity,
            paused=self._paused,
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
