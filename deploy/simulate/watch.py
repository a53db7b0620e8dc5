"""Looks on at a fleet over MQTT, as any client may: what each device does, and whether the broker is still there."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable

from shared.errors import ProtocolError
from shared.messages import DeviceState, decode
from shared.mqtt import BrokerAddress, Message, MqttLink
from shared.topics import Topics


class Watch:
    """An observer of a fleet.

    Args:
        address: the broker.
        fleet: the fleet's name.
        clock: seconds, from any beginning.
    """

    def __init__(self, address: BrokerAddress, *, fleet: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topics = Topics(fleet)
        self._clock = clock
        self._lock = threading.Lock()
        self._activities: dict[str, str] = {}
        self._lost_at: float | None = None
        self._said = ""
        self._link = MqttLink(
            address,
            client_id=f"inkfleet-watch-{secrets.token_hex(4)}",
            on_message=self._heard,
            on_connect=self._connected,
            on_disconnect=self._lost,
        )

    def start(self) -> None:
        """Begin to listen."""
        self._link.start()
        self._link.subscribe(self._topics.device_states(), qos=0)

    def stop(self) -> None:
        """Leave."""
        self._link.stop()

    def activities(self) -> dict[str, str]:
        """Return what each device that is online does: idle, fetching, training, uploading."""
        with self._lock:
            return dict(self._activities)

    def lost_for_s(self) -> float:
        """Return for how many seconds the broker has been gone; 0 while it is there."""
        with self._lock:
            return 0.0 if self._lost_at is None else self._clock() - self._lost_at

    @property
    def said(self) -> str:
        """What was said when the broker was last lost."""
        with self._lock:
            return self._said

    def forget_fleet(self, devices: Iterable[str], *, timeout_s: float = 5.0) -> None:
        """Take the fleet's retained messages off the broker, so that nothing is left on one that is not ours."""
        for topic in (self._topics.server_state, self._topics.round, *map(self._topics.device_state, devices)):
            self._link.publish(topic, b"", retain=True)
        self._link.flush(timeout_s)

    def _connected(self) -> None:
        with self._lock:
            self._lost_at = None

    def _lost(self, reason: str) -> None:
        with self._lock:
            self._said = reason
            if self._lost_at is None:
                self._lost_at = self._clock()

    def _heard(self, message: Message) -> None:
        try:
            device = self._topics.parse_device(message.topic).device
            state = decode(DeviceState, message.payload, topic=message.topic)
        except ProtocolError:
            return
        with self._lock:
            if state.online:
                self._activities[device] = state.activity
            else:
                self._activities.pop(device, None)
