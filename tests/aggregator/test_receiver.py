"""Updates on their way in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.receiver import Receiver
from shared.errors import ProtocolError
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest
from shared.transfer import chunk_of

DATA = bytes(range(256)) * 10


def manifest(data: bytes = DATA, *, round_number: int = 1) -> UpdateManifest:
    return UpdateManifest(
        run="r",
        round=round_number,
        samples=1,
        base="0" * 64,
        blob=BlobRef.of(data, chunk_bytes=256),
        metrics=LocalMetrics(train=Score(loss=1, accuracy=0.5, samples=1)),
    )


def receiver(*, total: int = 1_000_000) -> Receiver:
    return Receiver(max_update_bytes=100_000, max_total_bytes=total, quiet_s=5.0)


def send(to: Receiver, device: str, index: int, *, now: float = 0.0, data: bytes = DATA) -> object:
    ref = manifest(data).blob
    return to.chunk(device, ref.sha256, index, chunk_of(data, ref, index), now=now)


@given(order=st.permutations([*range(10), 3, 7]))
def test_chunks_may_come_in_any_order_and_twice(order: list[int]) -> None:
    """An update arrives once, when its last lacking chunk does, whole."""
    inbox = receiver()
    inbox.manifest("a", manifest(), now=0.0)
    arrived = [found for index in order if (found := send(inbox, "a", index)) is not None]
    assert len(arrived) == 1
    assert arrived[0].assembly.take() == DATA  # type: ignore[attr-defined]


def test_after_a_quiet_time_what_is_lacking_is_asked_for_ever_less_often() -> None:
    """Lost chunks are named after 5 s, then 10 s later, then 20 s."""
    inbox = receiver()
    inbox.manifest("a", manifest(), now=0.0)
    for index in (0, 1, 2, 5):
        send(inbox, "a", index, now=1.0)
    assert inbox.quiet(now=5.9) == []
    assert inbox.next_quiet_at == 6.0
    (lacking,) = inbox.quiet(now=6.0)
    assert (lacking.device, lacking.ranges) == ("a", ((3, 5), (6, 10)))
    assert inbox.next_quiet_at == 16.0
    inbox.quiet(now=16.0)
    assert inbox.next_quiet_at == 36.0


def test_a_repeated_manifest_is_answered_with_what_is_lacking() -> None:
    """A device that asks again when its chunks have stopped is told at once; while they flow, it is not."""
    inbox = receiver()
    assert inbox.manifest("a", manifest(), now=0.0) is None
    send(inbox, "a", 0, now=1.0)
    assert inbox.manifest("a", manifest(), now=1.5) is None
    lacking = inbox.manifest("a", manifest(), now=3.0)
    assert lacking is not None
    assert lacking.ranges == ((1, 10),)


def test_a_device_has_one_update_under_way() -> None:
    """A new update takes the place of an unfinished one; chunks of the old one are dropped and counted."""
    inbox, other = receiver(), DATA[::-1]
    inbox.manifest("a", manifest(), now=0.0)
    inbox.manifest("a", manifest(other), now=0.0)
    assert inbox.total_bytes == len(other)
    assert send(inbox, "a", 0) is None
    assert inbox.dropped_chunks == 1


def test_an_update_being_checked_is_left_alone() -> None:
    """Until it has its verdict, neither repeats nor another update disturb it."""
    inbox = receiver()
    inbox.manifest("a", manifest(), now=0.0)
    for index in range(10):
        send(inbox, "a", index)
    assert inbox.manifest("a", manifest(), now=60.0) is None
    assert inbox.manifest("a", manifest(DATA[::-1]), now=60.0) is None
    assert inbox.total_bytes == len(DATA)
    inbox.forget("a")
    assert inbox.total_bytes == 0


def test_a_whole_of_another_hash_is_asked_for_again_twice() -> None:
    """A damaged chunk does not end an update: all of it is lacking again; the third wrong whole is the last."""
    inbox = receiver()
    inbox.manifest("a", manifest(), now=0.0)
    for attempt in range(3):
        for index in range(9):
            send(inbox, "a", index)
        arrived = inbox.chunk("a", manifest().blob.sha256, 9, bytes(256), now=1.0)
        assert arrived is not None
        with pytest.raises(ProtocolError):
            arrived.assembly.take()
        lacking = inbox.garbled("a", now=1.0)
        if attempt < 2:
            assert lacking is not None
            assert lacking.ranges == ((0, 10),)
        else:
            assert lacking is None


def test_memory_is_bounded() -> None:
    """Without room, a manifest is passed over; when there is room again, its repeat is heard."""
    inbox = receiver(total=len(DATA) + 10)
    inbox.manifest("a", manifest(), now=0.0)
    inbox.manifest("b", manifest(), now=0.0)
    assert send(inbox, "b", 0) is None
    assert inbox.total_bytes == len(DATA)
    inbox.forget("a")
    inbox.manifest("b", manifest(), now=1.0)
    assert inbox.total_bytes == len(DATA)
    assert len(inbox.all_lacking(now=2.0)) == 1


def test_another_round_drops_what_is_unfinished() -> None:
    """When a round opens, the unfinished updates to the last one are forgotten."""
    inbox = receiver()
    inbox.manifest("a", manifest(round_number=1), now=0.0)
    inbox.manifest("b", manifest(round_number=2), now=0.0)
    inbox.keep_only(round_number=2)
    assert inbox.total_bytes == len(DATA)
    assert [lacking.device for lacking in inbox.all_lacking(now=0.0)] == ["b"]


def test_broken_chunks_are_counted_and_dropped() -> None:
    """A chunk of a wrong length or index changes nothing."""
    inbox = receiver()
    inbox.manifest("a", manifest(), now=0.0)
    sha256 = manifest().blob.sha256
    assert inbox.chunk("a", sha256, 0, b"short", now=0.0) is None
    assert inbox.chunk("a", sha256, 99, b"x" * 256, now=0.0) is None
    assert inbox.dropped_chunks == 2


def test_while_chunks_of_others_come_a_device_is_not_told_that_its_own_are_lost() -> None:
    """They may lie behind the others' on a slow line; but nobody is left waiting for longer than a minute."""
    inbox = receiver()
    data = bytes(256 * 80)
    inbox.manifest("a", manifest(), now=0.0)
    inbox.manifest("b", manifest(data), now=0.0)
    send(inbox, "a", 0, now=1.0)
    told: list[float] = []
    for second in range(2, 80):
        send(inbox, "b", second, now=float(second), data=data)
        told += [float(second) for lacking in inbox.quiet(now=float(second)) if lacking.device == "a"]
    assert told[0] == 61.0


def test_updates_that_never_come_give_way() -> None:
    """Devices that announce updates and send a first chunk over and over do not keep the room from those that send."""
    inbox = receiver(total=2 * len(DATA))
    for device in ("x", "y"):
        inbox.manifest(device, manifest(), now=0.0)
    for second in range(0, 60, 10):
        send(inbox, "x", 0, now=float(second))
        send(inbox, "y", second // 10, now=float(second))
    inbox.manifest("a", manifest(), now=59.0)
    assert send(inbox, "a", 0, now=59.0) is None
    assert inbox.dropped_chunks == 1
    inbox.manifest("a", manifest(), now=61.0)
    assert [send(inbox, "a", index, now=61.0) for index in range(10)][-1] is not None
    send(inbox, "y", 9, now=62.0)
    assert inbox.dropped_chunks == 1
    assert inbox.total_bytes == 2 * len(DATA)
