"""Which chunks to broadcast, without I/O: wants are gathered for a moment, and each chunk is sent once for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from shared.messages import BlobRef, Want
from shared.transfer import chunk_of, indices_of

# A device may ask for a blob so many times over, and for so many chunks besides; each new offer allows for once more,
# and so does the time: on a line that drops every few seconds, a device asks for all the rest each time it is back.
# Its wants are small and what they bring about is large: one device must not keep the line busy.
_MOST_TIMES = 16
_MOST_BESIDES = 64
_ONCE_MORE_S = 5.0


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
    # Of the audience.
    asked: set[str] = field(default_factory=set)
    # Device → how many chunks it was granted.
    granted: dict[str, int] = field(default_factory=dict)
    # When it was first asked for, on the clock.
    since: float | None = None
    # The chunk that went out last; the next one goes on from there.
    last: int = -1


class Broadcast:
    """Coalesced pull.

    The first want for a blob opens a window of ``gather_s``; the window ends early when every device of its audience
    has asked. Then the wanted chunks are due, in rising order, from the blobs by turns. A want that comes while chunks
    are going out joins in for those that have not gone yet; what it missed comes after the last one. Whoever asks for
    one chunk or one blob again and again keeps nobody from the others, and is sent a blob sixteen times at most, and
    once more every five seconds.

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
        self.excessive_wants = 0
        """How many wants were of devices that had asked for the whole blob again and again."""

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
            if known is not None and same:
                known.granted = {
                    name: count - ref.chunks for name, count in known.granted.items() if count > ref.chunks
                }
        self._offered = offered

    def want(self, device: str, want: Want, *, now: float) -> None:
        """Take in what a device lacks."""
        blob = self._offered.get(want.sha256)
        if blob is None:
            self.unknown_wants += 1
            return
        granted = blob.granted.get(device, 0)
        blob.since = now if blob.since is None else blob.since
        times = _MOST_TIMES + (now - blob.since) / _ONCE_MORE_S
        if granted >= times * blob.ref.chunks + _MOST_BESIDES:
            self.excessive_wants += 1
            return
        if not blob.wanted:
            blob.due_at, blob.last = now + self._gather_s, -1
        for index in indices_of(want.ranges, chunks=blob.ref.chunks):
            askers = blob.wanted.setdefault(index, set())
            granted += device not in askers
            askers.add(device)
        blob.granted[device] = granted
        if device in self._audience:
            blob.asked.add(device)
        if blob.wanted and self._audience and self._audience <= blob.asked:
            blob.due_at = now

    @property
    def next_due_at(self) -> float | None:
        """When the next chunk is due; None while nothing is wanted."""
        return min((blob.due_at for blob in self._offered.values() if blob.wanted), default=None)

    def next_chunk(self, *, now: float) -> Chunk | None:
        """Take out the next chunk that is due; None if there is none yet."""
        for sha256, blob in self._offered.items():
            if blob.wanted and now >= blob.due_at:
                # To the back of the queue.
                self._offered[sha256] = self._offered.pop(sha256)
                index = min((index for index in blob.wanted if index > blob.last), default=min(blob.wanted))
                blob.last = index
                askers = blob.wanted.pop(index)
                return Chunk(blob.ref.sha256, index, chunk_of(blob.data, blob.ref, index), len(askers))
        return None
