"""Which chunks to broadcast, without I/O: wants are gathered for a moment, and each chunk is sent once for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from shared.messages import BlobRef, Range, Want
from shared.transfer import chunk_of, indices_of


@dataclass(frozen=True)
class Chunk:
    """A chunk to send.

    Attributes:
        askers: how many devices asked for it.
    """

    sha256: str
    index: int
    payload: bytes
    askers: int


@dataclass
class _Offered:
    ref: BlobRef
    data: bytes
    # Chunk index → the devices that asked for it and have not been sent it.
    wanted: dict[int, set[str]] = field(default_factory=dict)
    due_at: float = 0.0
    asked: set[str] = field(default_factory=set)


class Broadcast:
    """Coalesced pull.

    The first want for a blob opens a window of ``gather_s``; the window ends early when every device of its audience
    has asked. Then the wanted chunks are due, in rising order. A want that comes while chunks are going out joins in
    for those that have not gone yet; what it missed opens the next window.

    Memory is bounded: the blobs offered, and one set of names for each of their chunks; wants for other blobs are
    counted and passed over.

    Args:
        gather_s: the window, in seconds.
    """

    def __init__(self, *, gather_s: float) -> None:
        self._gather_s = gather_s
        self._offered: dict[str, _Offered] = {}
        self._audience: frozenset[str] = frozenset()
        self.unknown_wants = 0
        """How many wants named a blob that is not offered."""

    def offer(self, blobs: Iterable[tuple[BlobRef, bytes]], *, audience: Collection[str]) -> None:
        """Offer these blobs, and no others.

        Args:
            blobs: how each is described, and its bytes.
            audience: the devices that are expected to ask.
        """
        self._audience = frozenset(audience)
        offered = {}
        for ref, data in blobs:
            known = self._offered.get(ref.sha256)
            same = known is not None and known.ref == ref
            offered[ref.sha256] = known if known is not None and same else _Offered(ref, data)
        self._offered = offered

    def want(self, device: str, want: Want, *, now: float) -> None:
        """Take in what a device lacks."""
        blob = self._offered.get(want.sha256)
        if blob is None:
            self.unknown_wants += 1
            return
        if not blob.wanted:
            blob.due_at = now + self._gather_s
        for index in indices_of(_within(want.ranges, blob.ref.chunks), chunks=blob.ref.chunks):
            blob.wanted.setdefault(index, set()).add(device)
        blob.asked.add(device)
        if blob.wanted and self._audience and self._audience <= blob.asked:
            blob.due_at = now

    @property
    def next_due_at(self) -> float | None:
        """When the next chunk is due; None while nothing is wanted."""
        return min((blob.due_at for blob in self._offered.values() if blob.wanted), default=None)

    def next_chunk(self, *, now: float) -> Chunk | None:
        """Take out the next chunk that is due; None if there is none yet."""
        for blob in self._offered.values():
            if blob.wanted and now >= blob.due_at:
                index = min(blob.wanted)
                askers = blob.wanted.pop(index)
                return Chunk(blob.ref.sha256, index, chunk_of(blob.data, blob.ref, index), len(askers))
        return None


def _within(ranges: Iterable[Range], chunks: int) -> list[Range]:
    """Join ranges that overlap, so that a want costs no more than the blob has chunks."""
    joined: list[Range] = []
    for start, stop in sorted((start, min(stop, chunks)) for start, stop in ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        elif start < stop:
            joined.append((start, stop))
    return joined
