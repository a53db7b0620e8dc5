"""Devices' messages wait in lanes of their own."""

from __future__ import annotations

import queue

import pytest

from aggregator.inbox import Inbox
from shared.mqtt import Message


def message(device: str, number: int, size: int = 0) -> Message:
    return Message(topic=f"fl/v1/f/device/{device}/want", payload=bytes(size) + bytes([number]), retain=False, qos=1)


def test_devices_are_served_by_turns() -> None:
    """A device that said a hundred things goes after one that said one; of each device, the first goes first."""
    inbox: Inbox[str] = Inbox(most_bytes=1 << 20, lane_bytes=1 << 20, crowded=lambda device: None)
    for number in range(100):
        inbox.hear(message("eve", number), device="eve")
    inbox.hear(message("ann", 7), device="ann")
    inbox.hear(message("bob", 8), device="bob")
    inbox.put("ours")
    got = [inbox.get(timeout=0) for _ in range(103)]
    assert got[0] == "ours"
    assert got[1:5] == [message("eve", 0), message("ann", 7), message("bob", 8), message("eve", 1)]
    assert got[5:] == [message("eve", number) for number in range(2, 100)]
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0)


def test_a_flood_is_bounded_said_once_and_takes_no_others_room() -> None:
    """The surplus of a lane is dropped; others find room, and so does the device itself once it was served."""
    told: list[str] = []
    inbox: Inbox[str] = Inbox(most_bytes=100_000, lane_bytes=10_000, crowded=told.append)
    heard = [inbox.hear(message("eve", 1, size=1000), device="eve") for _ in range(1000)]
    assert 10 < sum(heard) < 20
    assert told == ["eve"]
    assert inbox.hear(message("ann", 2), device="ann")
    while True:
        try:
            inbox.get(timeout=0)
        except queue.Empty:
            break
    assert inbox.hear(message("eve", 3), device="eve")
    assert told == ["eve"]


def test_all_lanes_together_are_bounded() -> None:
    """Names are made up at will where nobody checks them."""
    inbox: Inbox[str] = Inbox(most_bytes=100_000, lane_bytes=10_000, crowded=lambda device: None)
    heard = sum(inbox.hear(message(f"d{number}", 1), device=f"d{number}") for number in range(10_000))
    assert 100 < heard < 500
