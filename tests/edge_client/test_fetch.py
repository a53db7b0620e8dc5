"""Fetching blobs: what is asked, when it is asked again, and what is done with chunks."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_client.fetch import Arrived, Ask, FetchEffect, Fetcher, Listen, StopListening
from shared.errors import ProtocolError
from shared.messages import BlobRef
from shared.transfer import chunk_of, indices_of

DATA = random.Random(1).randbytes(5_000)
REF = BlobRef.of(DATA, chunk_bytes=512)
OTHER = BlobRef.of(b"x" * 900, chunk_bytes=512)


def fetcher() -> Fetcher:
    """A fetcher whose waits are the whole bound."""
    one = Fetcher(uniform=lambda: 1.0)
    one.connected(0.0)
    return one


def asked(effects: list[FetchEffect]) -> list[int]:
    """The chunk indices asked for."""
    return [i for effect in effects if isinstance(effect, Ask) for i in indices_of(effect.want.ranges, chunks=999)]


def test_listens_before_it_asks() -> None:
    """The subscription goes out first, so that no chunk can come before it."""
    effects = fetcher().fetch([REF], 0.0)
    assert effects[0] == Listen(REF.sha256)
    assert asked(effects[1:]) == list(range(10))


def test_asks_again_for_what_is_lacking_only() -> None:
    """After silence the want names the chunks that have not come, and waits grow."""
    one = fetcher()
    one.fetch([REF], 0.0)
    for index in (0, 1, 2, 5):
        one.chunk(REF.sha256, index, chunk_of(DATA, REF, index), 1.0)
    assert one.tick(2.0) == []
    first = one.wake_at
    assert first is not None
    assert asked(one.tick(first)) == [3, 4, 6, 7, 8, 9]
    second = one.wake_at
    assert second is not None
    one.tick(second)
    third = one.wake_at
    assert third is not None
    assert third - second > second - first


def test_a_whole_blob_is_handed_over_once() -> None:
    """The last chunk gives the data and ends the subscription; later chunks do nothing."""
    one = fetcher()
    one.fetch([REF], 0.0)
    effects = [e for i in reversed(range(10)) for e in one.chunk(REF.sha256, i, chunk_of(DATA, REF, i), 1.0)]
    assert effects == [StopListening(REF.sha256), Arrived(REF.sha256, DATA)]
    assert one.chunk(REF.sha256, 0, chunk_of(DATA, REF, 0), 2.0) == []
    assert one.wake_at is None


def test_a_wrong_whole_is_fetched_anew() -> None:
    """Chunks of the right length with wrong bytes are found out by the hash, and everything is asked for again."""
    one = fetcher()
    one.fetch([REF], 0.0)
    for index in range(9):
        one.chunk(REF.sha256, index, chunk_of(DATA, REF, index), 1.0)
    with pytest.raises(ProtocolError, match="hash"):
        one.chunk(REF.sha256, 9, b"!" * (5_000 - 9 * 512), 1.0)
    assert one.wake_at is not None
    assert asked(one.tick(one.wake_at)) == list(range(10))


def test_another_round_lets_go_of_the_old_blob() -> None:
    """What is no longer wanted is no longer heard; what still is keeps its chunks."""
    one = fetcher()
    one.fetch([REF, OTHER], 0.0)
    one.chunk(REF.sha256, 0, chunk_of(DATA, REF, 0), 1.0)
    effects = one.fetch([REF], 1.0)
    assert effects == [StopListening(OTHER.sha256)]
    assert one.progress() == (1, 10)


def test_asks_nobody_who_is_away_and_at_once_when_they_are_back() -> None:
    """Neither a lost broker nor an aggregator that said goodbye is asked; both are, as soon as they are there."""
    one = fetcher()
    one.disconnected()
    assert asked(one.fetch([REF], 0.0)) == []
    assert one.wake_at is None
    assert asked(one.connected(50.0)) == list(range(10))
    assert asked(one.server(online=True, restarted=False, now=50.5)) == []
    assert asked(one.server(online=True, restarted=True, now=50.6)) == list(range(10))
    one.server(online=False, restarted=False, now=51.0)
    assert one.wake_at is None
    assert one.tick(500.0) == []
    assert asked(one.server(online=True, restarted=False, now=501.0)) == list(range(10))


def test_a_blob_too_large_is_refused() -> None:
    """A blob beyond the bound takes no memory, and leaves nothing waiting."""
    one = Fetcher(uniform=lambda: 0.5, max_bytes=1000)
    with pytest.raises(ProtocolError, match="at most 1000 bytes"):
        one.fetch([OTHER, REF], 0.0)
    assert one.waiting_for == frozenset()


@settings(deadline=None)
@given(st.data())
def test_any_loss_and_any_order_end_with_the_blob(data: st.DataObject) -> None:
    """However many chunks and wants are lost, come twice or late: asking again brings the blob in the end."""
    one = Fetcher(uniform=lambda: data.draw(st.floats(0, 0.999)))
    now, arrived = 0.0, b""
    pending: list[int] = asked(one.fetch([REF], now) + one.connected(now))
    for turn in range(200):
        lossy = turn < 20
        while pending and not arrived:
            index = pending.pop(data.draw(st.integers(0, len(pending) - 1)) if lossy else 0)
            if lossy and data.draw(st.booleans()):
                continue
            for effect in one.chunk(REF.sha256, index, chunk_of(DATA, REF, index), now):
                if isinstance(effect, Arrived):
                    arrived = effect.data
        if arrived:
            break
        assert one.wake_at is not None
        now = max(now, one.wake_at)
        pending = asked(one.tick(now))
    assert arrived == DATA


def test_what_is_late_on_a_slow_line_is_not_asked_for_again() -> None:
    """Chunks of two blobs by turns, one every 6 s: nothing is asked for twice, and afterwards what was lost is."""
    one = fetcher()
    one.fetch([REF, OTHER], 0.0)
    now = 0.0
    arrivals = [(REF, DATA, index) for index in range(9)]
    arrivals.insert(4, (OTHER, b"x" * 900, 0))
    for ref, data, index in arrivals:
        now += 6.0
        assert one.tick(now) == []
        one.chunk(ref.sha256, index, chunk_of(data, ref, index), now)
    due = one.wake_at
    assert due is not None
    assert now + 12.0 <= due <= now + 30.0
    assert one.tick(due) != []


def test_questions_that_bring_nothing_are_counted() -> None:
    """Each that brings nothing counts, whatever connections come between; a chunk ends the count."""
    one = fetcher()
    one.fetch([REF], 0.0)
    for _ in range(3):
        assert one.wake_at is not None
        one.tick(one.wake_at)
    assert one.unanswered == 4
    one.disconnected()
    one.connected(100.0)
    assert one.unanswered == 5
    one.chunk(REF.sha256, 0, chunk_of(DATA, REF, 0), 101.0)
    assert one.unanswered == 0
