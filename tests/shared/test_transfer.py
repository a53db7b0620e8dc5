"""Chunked transfer: whatever the line does to the chunks, the bytes come out right or not at all."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError
from shared.messages import BlobRef
from shared.transfer import Assembly, chunk_bytes_for, chunk_of, indices_of, join_ranges, ranges_of

DATA = bytes(range(256)) * 10
REF = BlobRef.of(DATA, chunk_bytes=300)


@given(st.binary(min_size=1, max_size=4000), st.integers(256, 1000), st.randoms(use_true_random=False))
def test_any_order_with_repeats_gives_the_bytes(data: bytes, chunk_bytes: int, random: object) -> None:
    """Chunks may come in any order and twice."""
    ref = BlobRef.of(data, chunk_bytes=chunk_bytes)
    order = list(range(ref.chunks)) * 2
    random.shuffle(order)  # type: ignore[attr-defined]
    assembly = Assembly(ref, max_bytes=1 << 20)
    new = [assembly.add(index, chunk_of(data, ref, index)) for index in order]
    assert sum(new) == ref.chunks
    assert assembly.complete
    assert assembly.take() == data


def test_what_is_lacking_is_said_in_ranges() -> None:
    """After some chunks came, the ranges name exactly the others."""
    assembly = Assembly(REF, max_bytes=1 << 20)
    for index in (0, 3, 4):
        assembly.add(index, chunk_of(DATA, REF, index))
    assert assembly.lacking() == ((1, 3), (5, 9))
    assert list(indices_of(assembly.lacking(), chunks=REF.chunks)) == [1, 2, 5, 6, 7, 8]
    assert assembly.received == 3


def test_a_wrong_chunk_is_found_by_the_hash_and_all_is_asked_for_again() -> None:
    """A changed byte is found when the whole is taken; then every chunk is lacking again."""
    assembly = Assembly(REF, max_bytes=1 << 20)
    for index in range(REF.chunks):
        chunk = chunk_of(DATA, REF, index)
        assembly.add(index, bytes(len(chunk)) if index == 2 else chunk)
    with pytest.raises(ProtocolError, match="hash"):
        assembly.take()
    assert assembly.lacking() == ((0, REF.chunks),)


@pytest.mark.parametrize(("index", "size"), [(-1, 300), (9, 300), (0, 299), (8, 300)])
def test_a_chunk_that_cannot_be_is_refused(index: int, size: int) -> None:
    """An index outside the blob, or another length than the chunk has, changes nothing."""
    assembly = Assembly(REF, max_bytes=1 << 20)
    with pytest.raises(ProtocolError, match="blob"):
        assembly.add(index, bytes(size))
    assert assembly.received == 0


def test_a_blob_larger_than_agreed_is_refused_before_memory_is_taken() -> None:
    """The announcement alone is enough to refuse."""
    with pytest.raises(ProtocolError, match="at most"):
        Assembly(BlobRef(sha256="0" * 64, size_bytes=1 << 30, chunk_bytes=1 << 20), max_bytes=1 << 24)


def test_an_incomplete_blob_cannot_be_taken() -> None:
    """Taking too early says how much is lacking."""
    with pytest.raises(ProtocolError, match="9 of 9 chunks are lacking"):
        Assembly(REF, max_bytes=1 << 20).take()


@given(st.sets(st.integers(0, 300)))
def test_ranges_hold_exactly_the_indices(indices: set[int]) -> None:
    """Ranges and indices are two ways to say the same."""
    assert list(indices_of(ranges_of(sorted(indices)), chunks=301)) == sorted(indices)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), max_size=20), st.integers(1, 25))
def test_overlapping_ranges_name_each_index_once(spans: list[tuple[int, int]], chunks: int) -> None:
    """Whatever ranges come, each chunk they hold is named once, in rising order, and no chunk that is not there."""
    ranges = [(start, start + length) for start, length in spans]
    expected = {index for start, stop in ranges for index in range(start, stop) if index < chunks}
    assert list(indices_of(ranges, chunks=chunks)) == sorted(expected)
    joined = join_ranges(ranges, chunks=chunks)
    assert all(before[1] < after[0] for before, after in pairwise(joined))


def test_chunks_fit_the_broker() -> None:
    """The broker's limit lowers the chunk size; a broker without one leaves the setting."""
    assert chunk_bytes_for(98_304, None) == 98_304
    assert chunk_bytes_for(98_304, 2_000_000) == 98_304
    assert chunk_bytes_for(98_304, 65_536) == 64_512
    with pytest.raises(ProtocolError, match="too small"):
        chunk_bytes_for(98_304, 1_000)
