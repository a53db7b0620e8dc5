"""Coalesced pull."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.broadcast import Broadcast, Chunk
from shared.messages import BlobRef, Want

DATA = bytes(range(250)) * 8
REF = BlobRef.of(DATA, chunk_bytes=256)


def want(*ranges: tuple[int, int], sha256: str = REF.sha256) -> Want:
    return Want(sha256=sha256, ranges=ranges)


def offered(*audience: str) -> Broadcast:
    broadcast = Broadcast(gather_s=0.05)
    broadcast.offer([(REF, DATA)], audience=audience)
    return broadcast


def drain(broadcast: Broadcast, *, now: float) -> list[Chunk]:
    return list(iter(lambda: broadcast.next_chunk(now=now), None))


def test_wants_are_gathered_and_each_chunk_is_sent_once() -> None:
    """Three devices ask within the window: eight chunks go out, each counted for three."""
    broadcast = offered("a", "b", "c", "d")
    for device in "abc":
        broadcast.want(device, want((0, 8)), now=1.0)
    assert broadcast.next_chunk(now=1.04) is None
    assert broadcast.next_due_at == 1.05
    chunks = drain(broadcast, now=1.05)
    assert [chunk.index for chunk in chunks] == list(range(8))
    assert b"".join(chunk.payload for chunk in chunks) == DATA
    assert {chunk.askers for chunk in chunks} == {3}
    assert broadcast.next_due_at is None


def test_the_window_ends_when_the_whole_audience_has_asked() -> None:
    """Nobody is waited for who has asked already."""
    broadcast = offered("a", "b")
    broadcast.want("a", want((0, 8)), now=1.0)
    assert broadcast.next_chunk(now=1.0) is None
    broadcast.want("b", want((0, 8)), now=1.01)
    assert broadcast.next_chunk(now=1.01) is not None


def test_a_late_want_joins_in_and_what_it_missed_comes_after() -> None:
    """A device that asks midway is sent the rest with the others, and the beginning once more."""
    broadcast = offered("a", "z")
    broadcast.want("a", want((0, 8)), now=1.0)
    first = [broadcast.next_chunk(now=1.05) for _ in range(3)]
    broadcast.want("b", want((0, 8)), now=1.06)
    rest = drain(broadcast, now=1.06)
    assert [chunk.index for chunk in first if chunk] == [0, 1, 2]
    assert sorted((chunk.index, chunk.askers) for chunk in rest) == [
        (0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 2), (6, 2), (7, 2),
    ]  # fmt: skip


def test_a_want_repeated_without_end_starves_nobody() -> None:
    """One device asks for the first chunk again after each that goes out: the other chunks and blobs go out as well."""
    broadcast, other = offered("a"), b"x" * 600
    broadcast.offer([(REF, DATA), (BlobRef.of(other, chunk_bytes=256), other)], audience=["a", "z"])
    broadcast.want("a", want((0, 8)), now=0.0)
    broadcast.want("a", want((0, 3), sha256=BlobRef.of(other, chunk_bytes=256).sha256), now=0.0)
    sent = set()
    for _ in range(12):
        chunk = broadcast.next_chunk(now=1.0)
        assert chunk is not None
        sent.add((chunk.sha256, chunk.index))
        broadcast.want("z", want((0, 1)), now=1.0)
    assert len(sent) == 8 + 3


def test_asking_twice_counts_once() -> None:
    """A repeated want before the broadcast neither sends nor counts twice."""
    broadcast = offered("a", "z")
    broadcast.want("a", want((0, 1)), now=0.0)
    broadcast.want("a", want((0, 1), (0, 1)), now=0.0)
    assert [(chunk.index, chunk.askers) for chunk in drain(broadcast, now=1.0)] == [(0, 1)]


def test_unknown_blobs_are_counted_and_passed_over() -> None:
    """A want for old weights, or for anything else, costs a number."""
    broadcast = offered("a")
    broadcast.want("a", want((0, 8), sha256="f" * 64), now=0.0)
    assert broadcast.unknown_wants == 1
    assert broadcast.next_due_at is None


def test_chunks_that_are_not_there_are_not_sent() -> None:
    """Ranges past the end, or absurdly many, cost no more than the blob has chunks."""
    broadcast = offered("a")
    broadcast.want("a", Want(sha256=REF.sha256, ranges=tuple((0, 2**40 + i) for i in range(1000))), now=0.0)
    assert len(drain(broadcast, now=1.0)) == REF.chunks


def test_a_new_offer_drops_the_old_and_keeps_what_stays() -> None:
    """Wants for a blob that is still offered are still served; those for one that is gone are not."""
    broadcast, other = offered("a"), b"x" * 600
    other_ref = BlobRef.of(other, chunk_bytes=256)
    broadcast.want("a", want((0, 8)), now=0.0)
    broadcast.offer([(REF, DATA), (other_ref, other)], audience=["a"])
    assert len(drain(broadcast, now=1.0)) == 8
    broadcast.offer([(other_ref, other)], audience=["a"])
    broadcast.want("a", want((0, 8)), now=1.0)
    assert broadcast.unknown_wants == 1


@given(
    asks=st.lists(
        st.tuples(st.sampled_from("abcd"), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1)),
        max_size=12,
    )
)
def test_whoever_asks_is_sent_what_it_asked_for(asks: list[tuple[str, list[tuple[int, int]]]]) -> None:
    """After any wants, every chunk asked for is sent once, counted for each that asked."""
    broadcast = offered("a", "b", "c", "d")
    askers: dict[int, set[str]] = {}
    for device, spans in asks:
        ranges = tuple((start, start + length) for start, length in spans)
        broadcast.want(device, want(*ranges), now=0.0)
        for start, stop in ranges:
            for index in range(start, min(stop, REF.chunks)):
                askers.setdefault(index, set()).add(device)
    sent = {chunk.index: chunk.askers for chunk in drain(broadcast, now=9.0)}
    assert sent == {index: len(devices) for index, devices in askers.items()}


def test_a_want_without_end_is_granted_so_many_times() -> None:
    """One device asks for everything again and again: it is sent a blob so often and no more; others are served."""
    broadcast, chunks = offered("a"), 0
    for ask in range(100):
        broadcast.want("z", want((0, 8)), now=0.2 * ask)
        chunks += len(drain(broadcast, now=0.2 * ask + 0.15))
    assert 16 * 8 <= chunks <= (16 + 4) * 8 + 64 + 8
    assert broadcast.excessive_wants > 0
    broadcast.want("a", want((0, 8)), now=21.0)
    assert len(drain(broadcast, now=22.0)) == 8
    broadcast.offer([(REF, DATA)], audience=["a"])
    broadcast.want("z", want((0, 8)), now=22.0)
    assert len(drain(broadcast, now=23.0)) == 8


def test_a_device_on_a_line_that_drops_is_granted_more_with_time() -> None:
    """Asking for all the rest of a large blob each time it is back, a chunk a connection, it gets the whole of it."""
    size = 100
    data = bytes(256 * size)
    ref = BlobRef.of(data, chunk_bytes=256)
    broadcast = Broadcast(gather_s=0.0)
    broadcast.offer([(ref, data)], audience=["a"])
    for number in range(size):
        now = 3.0 * number
        broadcast.want("a", Want(sha256=ref.sha256, ranges=((number, size),)), now=now)
        assert number in {chunk.index for chunk in drain(broadcast, now=now)}
