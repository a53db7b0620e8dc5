"""Devices' messages wait in lanes of their own."""

from __future__ import annotations

import queue

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    inbox: Inbox[str] = Inbox(most_bytes=400_000, lane_bytes=10_000, crowded=lambda device: None)
    heard = sum(inbox.hear(message(f"d{number}", 1), device=f"d{number}") for number in range(10_000))
    assert 100 < heard < 500
    assert inbox.waiting_bytes <= 400_000


@pytest.mark.parametrize("hostile", [1, 16, 200])
def test_a_majority_that_floods_leaves_everybody_else_a_fair_share(hostile: int) -> None:
    """Half of an equal part at least: of those who flood, the newest gives way, and who they are is said."""
    told: list[str] = []
    most, total = 4_000_000, 0
    inbox: Inbox[str] = Inbox(most_bytes=most, lane_bytes=most, crowded=told.append)
    for number in range(most // 500 // hostile):
        for eve in range(hostile):
            inbox.hear(message(f"eve{eve}", number % 256, size=number % 3 * 500), device=f"eve{eve}")
    while total + 2000 < most / (hostile + 1) / 2 - 2000:
        assert inbox.hear(message("ann", 1, size=1000), device="ann")
        total += 2000
        # They do not stop meanwhile.
        for eve in range(hostile):
            inbox.hear(message(f"eve{eve}", 0), device=f"eve{eve}")
        assert inbox.waiting_bytes <= most
    assert total
    got = [inbox.get(timeout=0) for _ in range(2 * (hostile + 1))]
    assert sum(isinstance(one, Message) and "/ann/" in one.topic for one in got) == 2
    left = 0
    while True:
        try:
            one = inbox.get(timeout=0)
        except queue.Empty:
            break
        left += isinstance(one, Message) and "/ann/" in one.topic
    assert left == total // 2000 - 2
    assert inbox.waiting_bytes == 0
    assert "ann" not in told
    assert told


@given(steps=st.lists(st.tuples(st.sampled_from(["ann", "bob", "eve", ""]), st.integers(0, 20_000)), max_size=80))
def test_nothing_is_lost_but_the_newest_of_the_heaviest(steps: list[tuple[str, int]]) -> None:
    """Whatever comes in whatever order: within the bound, and of each device in the order in which it was said."""
    inbox: Inbox[str] = Inbox(most_bytes=60_000, lane_bytes=30_000, crowded=lambda device: None)
    got: dict[str, list[Message]] = {}
    said: dict[str, list[Message]] = {}

    def take() -> bool:
        try:
            one = inbox.get(timeout=0)
        except queue.Empty:
            return False
        assert isinstance(one, Message)
        got.setdefault(one.topic.split("/")[4], []).append(one)
        return True

    for number, (device, size) in enumerate(steps):
        if device:
            one = message(device, number % 256, size)
            said.setdefault(device, []).append(one)
            inbox.hear(one, device=device)
        else:
            take()
        assert inbox.waiting_bytes <= 60_000
    while take():
        pass
    assert inbox.waiting_bytes == 0
    for device, messages in got.items():
        rest = iter(said[device])
        assert all(any(one is other for other in rest) for one in messages)
