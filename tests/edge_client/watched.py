"""A device, and what it tells."""

from __future__ import annotations

import queue
import time
from typing import Any

import numpy as np

from edge_client.service import Device
from edge_client.settings import DeviceSettings
from tests.edge_client.scripted_aggregator import DEADLINE_S

Event = dict[str, Any]


class Watched:
    """A device and what it told."""

    def __init__(self, settings: DeviceSettings, **more: Any) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.device = Device(settings, on_event=self.events.put, rng=np.random.default_rng(3), **more)

    def next(self, kind: str) -> Event:
        """Wait for the next event of a kind, passing over others."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            if event["event"] == kind:
                return event
