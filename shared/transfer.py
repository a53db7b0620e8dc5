"""Bytes cut into chunks that fit the broker, and put together again; without I/O.

Chunks may come in any order, twice, or not at all: an `Assembly` keeps what came, and says what is lacking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from shared.errors import ProtocolError
from shared.messages import BlobRef, Range

DEFAULT_CHUNK_BYTES = 48 * 1024
"""Fits AWS IoT Core's limit of 128 KB a message, with its topic."""

HEADROOM_BYTES = 1024
"""What a PUBLISH packet holds besides its payload: topic and properties; generous."""


def chunk_bytes_for(setting: int, max_packet_bytes: int | None) -> int:
    """Choose the chunk size: the setting, or what the broker's greatest packet leaves room for.

    Args:
        setting: the size asked for, in bytes.
        max_packet_bytes: the MaximumPacketSize that the broker advertises; None where it has no limit.

    Raises:
        ProtocolError: the broker's packets are too small for any chunk.
    """
    if max_packet_bytes is None:
        return setting
    room = max_packet_bytes - HEADROOM_BYTES
    if room < 256:
        raise ProtocolError(f"the broker takes packets of {max_packet_bytes} bytes at most: too small for any chunk")
    return min(setting, room)


def chunk_of(data: bytes | memoryview, ref: BlobRef, index: int) -> bytes:
    """Return one chunk of a blob.

    Raises:
        ProtocolError: the blob has no chunk of this index.
    """
    if not 0 <= index < ref.chunks:
        raise ProtocolError(f"blob {ref.sha256[:12]} has {ref.chunks} chunks, none of index {index}")
    return bytes(data[index * ref.chunk_bytes : (index + 1) * ref.chunk_bytes])


def indices_of(ranges: Iterable[Range], *, chunks: int) -> Iterator[int]:
    """Name every chunk index in these ranges that a blob of so many chunks has: each once, rising."""
    for start, stop in join_ranges(ranges, chunks=chunks):
        yield from range(start, stop)


def join_ranges(ranges: Iterable[Range], *, chunks: int) -> tuple[Range, ...]:
    """Join ranges that overlap or touch, within so many chunks: a thousand times the whole is the whole once."""
    joined: list[Range] = []
    for start, stop in sorted((start, min(stop, chunks)) for start, stop in ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        elif start < stop:
            joined.append((start, stop))
    return tuple(joined)


def ranges_of(indices: Iterable[int], *, at_most: int = 1024) -> tuple[Range, ...]:
    """Write rising chunk indices as ranges; the first ones, where there would be too many ranges for a message."""
    ranges: list[tuple[int, int]] = []
    for index in indices:
        if ranges and ranges[-1][1] == index:
            ranges[-1] = (ranges[-1][0], index + 1)
        elif len(ranges) == at_most:
            break
        else:
            ranges.append((index, index + 1))
    return tuple(ranges)


class Assembly:
    """The bytes of one blob as far as they have come.

    Memory is taken once, when the first chunk comes: ``ref.size_bytes``.

    Args:
        ref: what is to come.
        max_bytes: a blob larger than this is refused.

    Raises:
        ProtocolError: the blob is larger than ``max_bytes``.
    """

    def __init__(self, ref: BlobRef, *, max_bytes: int) -> None:
        if ref.size_bytes > max_bytes:
            raise ProtocolError(
                f"blob {ref.sha256[:12]}: expected at most {max_bytes} bytes, it announces {ref.size_bytes}"
            )
        self.ref = ref
        self._data: bytearray | None = None
        self._lacking = set(range(ref.chunks))

    @property
    def complete(self) -> bool:
        """Whether every chunk has come."""
        return not self._lacking

    @property
    def received(self) -> int:
        """How many chunks have come."""
        return self.ref.chunks - len(self._lacking)

    def lacking(self) -> tuple[Range, ...]:
        """Return what has not come, as ranges of chunk indices."""
        return ranges_of(sorted(self._lacking))

    def add(self, index: int, payload: bytes) -> bool:
        """Keep a chunk; return whether it was lacking.

        Raises:
            ProtocolError: no such index, or another length than this chunk has.
        """
        ref = self.ref
        if not 0 <= index < ref.chunks:
            raise ProtocolError(f"blob {ref.sha256[:12]} has {ref.chunks} chunks, none of index {index}")
        start = index * ref.chunk_bytes
        expected = min(ref.chunk_bytes, ref.size_bytes - start)
        if len(payload) != expected:
            raise ProtocolError(
                f"blob {ref.sha256[:12]}: expected {expected} bytes in chunk {index}, got {len(payload)}"
            )
        if index not in self._lacking:
            return False
        if self._data is None:
            self._data = bytearray(ref.size_bytes)
        self._data[start : start + expected] = payload
        self._lacking.discard(index)
        return True

    def take(self) -> bytes:
        """Return the whole, checked against its hash; a wrong whole is forgotten, so that it can be fetched anew.

        Raises:
            ProtocolError: chunks are lacking, or the hash is another.
        """
        ref = self.ref
        if self._lacking or self._data is None:
            raise ProtocolError(f"blob {ref.sha256[:12]}: {len(self._lacking)} of {ref.chunks} chunks are lacking")
        data = bytes(self._data)
        self._data = None
        self._lacking = set(range(ref.chunks))
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise ProtocolError(f"blob {ref.sha256[:12]}: its bytes do not have the hash they were announced with")
        return data
