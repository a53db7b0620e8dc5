"""What there is to see at one moment of live reading."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from edge_client.camera.frame import Picture
from edge_client.expression.value import Value
from edge_client.live.overlay import draw_reading
from edge_client.reading.result import Reading


class LiveFrame:
    """A frame with what is read in it. It does not change.

    Attributes:
        seq: grows with every frame that there is to see.
        title: what it is a picture of: a file's path, a device, an address.
        raw: as it came from the source, ``(height, width, 3) uint8``, BGR.
        reading: what is read, once that is stable; None before, and where nothing is written.
        values: what its lines come to; None where that is not known yet.
        fps: frames read a second.
        weights: which weights are in use, for people.
        status: what is the matter, in one line: the camera is lost, reading is paused; empty if nothing.
    """

    def __init__(
        self,
        seq: int,
        raw: Picture,
        *,
        title: str = "",
        reading: Reading | None = None,
        values: tuple[Value | None, ...] = (),
        fps: float = 0.0,
        weights: str = "",
        status: str = "",
    ) -> None:
        self.seq = seq
        self.raw = raw
        self.title = title
        self.reading = reading
        self.values = values
        self.fps = fps
        self.weights = weights
        self.status = status

    @cached_property
    def picture(self) -> Picture:
        """The frame with everything drawn on it; drawn when it is first asked for."""
        fps = f"{self.fps:.1f}" if 0 < self.fps < 9.95 else f"{self.fps:.0f}"
        status = " · ".join(filter(None, [f"{fps} fps" if self.fps else "", self.weights]))
        return draw_reading(self.raw, self.reading, values=self.values, status=status, warning=self.status)


def say_weights(weights: Mapping[str, Any] | None) -> str:
    """Say which weights are in use, from what `edge_client.learning.Learning` tells of them.

    Args:
        weights: with ``sha256``, ``origin`` (``shipped``, ``fleet`` or ``file``), ``run`` and ``rounds``; None if
            there are none.
    """
    if not weights:
        return ""
    origin = weights.get("origin", "")
    where = {"shipped": "as shipped", "file": "from a file"}.get(origin, "")
    if origin == "fleet":
        rounds = weights.get("rounds", 0)
        where = f"of the fleet, after {rounds} round{'' if rounds == 1 else 's'}"
    return " ".join(filter(None, [f"weights {weights['sha256'][:7]}", where]))
