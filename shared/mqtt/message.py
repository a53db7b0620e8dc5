"""What travels over a link."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message that arrived.

    Attributes:
        topic: where it was published.
        payload: its bytes.
        retain: True if the broker had kept it from before we subscribed, False if it is fresh.
        qos: 0 or 1.
    """

    topic: str
    payload: bytes
    retain: bool
    qos: int


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes in our name when the connection is lost without a goodbye."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = True
