"""The bound on what waits between two threads."""

from __future__ import annotations

from shared.mqtt import Backlog, Message


def message(topic: str, size: int) -> Message:
    return Message(topic=topic, payload=bytes(size), retain=False, qos=1)


def test_chunks_leave_room_for_what_is_not_repeated() -> None:
    """Chunks past the bound are passed over, control messages past twice the bound; what was worked off makes room."""
    backlog = Backlog(most_bytes=10_000)
    chunk, reply = message("fl/v1/f/blob/x/0", 4000), message("fl/v1/f/device/a/reply", 4000)
    assert [backlog.admit(chunk) for _ in range(3)] == [True, True, False]
    assert [backlog.admit(reply) for _ in range(3)] == [True, True, False]
    assert backlog.passed_over == 2
    for one in (chunk, chunk, reply):
        backlog.release(one)
    assert backlog.admit(message("fl/v1/f/device/a/chunk/x/0", 4000))


def test_empty_messages_weigh_something() -> None:
    """A flood of nothing is bounded as well."""
    backlog = Backlog(most_bytes=100_000)
    admitted = sum(backlog.admit(message("fl/v1/f/device/a/reply", 0)) for _ in range(10_000))
    assert 100 < admitted < 1000
