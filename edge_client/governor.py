"""When training may begin: a person's word, hours of the day, temperature, load. What is not set allows everything."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from edge_client.settings import hours_of

_ZONES = Path("/sys/class/thermal")


class Governor:
    """Says whether training may begin now, and if not, why. What has begun is left to end, unless a person pauses it.

    Args:
        train_hours: like ``22-6``, local time; empty for any.
        max_temperature_c: of the hottest thermal zone; 0 for any. A machine that shows none is never too hot.
        max_load: of the last minute, for each core; 0 for any.
        local_hour: the hour of the day now.
        temperature_c: the hottest zone now; None where there is none.
        load_per_core: the load now.
        paused: whether a person has paused training.
    """

    def __init__(
        self,
        *,
        train_hours: str = "",
        max_temperature_c: float = 0.0,
        max_load: float = 0.0,
        local_hour: Callable[[], int] = lambda: time.localtime().tm_hour,
        temperature_c: Callable[[], float | None] = lambda: hottest_zone_c(_ZONES),
        load_per_core: Callable[[], float] = lambda: os.getloadavg()[0] / (os.cpu_count() or 1),
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._hours = hours_of(train_hours) if train_hours else None
        self._max_temperature_c = max_temperature_c
        self._max_load = max_load
        self._local_hour = local_hour
        self._temperature_c = temperature_c
        self._load_per_core = load_per_core
        self.paused = paused

    def objection(self) -> str:
        """Return why training may not begin now, in words; empty if it may."""
        if self.paused():
            return "it is paused by a person"
        if self._hours is not None:
            begin, end = self._hours
            hour = self._local_hour()
            inside = begin <= hour < end if begin < end else hour >= begin or hour < end
            if not inside:
                return f"it is {hour} o'clock, training is allowed from {begin} to {end}"
        if self._max_temperature_c:
            hottest = self._temperature_c()
            if hottest is not None and hottest > self._max_temperature_c:
                return f"the processor has {hottest:.0f} °C, training is allowed up to {self._max_temperature_c:g} °C"
        if self._max_load:
            load = self._load_per_core()
            if load > self._max_load:
                return f"the load is {load:.2f} a core, training is allowed up to {self._max_load:g}"
        return ""


def hottest_zone_c(zones: Path) -> float | None:
    """Return the temperature of the hottest thermal zone that Linux shows, in °C; None if it shows none."""
    found = []
    for file in zones.glob("thermal_zone*/temp"):
        try:
            found.append(int(file.read_text(encoding="ascii")) / 1000)
        except (OSError, ValueError):
            continue
    return max(found, default=None)
