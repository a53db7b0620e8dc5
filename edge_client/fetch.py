"""Getting blobs from the aggregator, without I/O: what to listen for, what to ask for, and when to ask again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_client.retry import Retry
from shared.errors import ProtocolError
from shared.messages import BlobRef, Want
from shared.transfer import Assembly

MAX_BLOB_BYTES = 512 * 1024 * 1024
"""A blob larger than this is refused: a device has to hold it in memory."""

_GAPS = 3.0
"""A chunk is taken for lost after so many of the line's gaps without one."""

_FADING = 0.8
_LONGEST_GAP_S = 30.0


@dataclass(frozen=True)
class Listen:
    """Subscribe to the chunks of this blob."""

    sha256: str


@dataclass(frozen=True)
class StopListening:
    """Unsubscribe from the chunks of this blob."""

    sha256: str


@dataclass(frozen=True)
class Ask:
    """Publish this want. It must follow the subscription."""

    want: Want


@dataclass(frozen=True)
class Arrived:
    """A blob is whole, and its hash is right."""

    sha256: str
    data: bytes


FetchEffect = Listen | StopListening | Ask | Arrived


@dataclass
class _Fetch:
    assembly: Assembly
    ask_at: float
    asks: int = 0


class Fetcher:
    """The blobs that a device waits for. Not locked: one thread owns it.

    A want is repeated, with backoff and jitter, when nothing lacking has come for a while; anything that comes, of any
    blob, starts the patience anew, and on a line on which chunks come slowly the patience grows with the gaps between
    them: what is late must not be asked for as if it were lost. While the aggregator or the broker is known to be away
    nothing is asked.

    Args:
        uniform: draws from [0, 1); the jitter's source.
        retry: the waits between wants.
        max_bytes: a larger blob is refused.
    """

    def __init__(
        self,
        *,
        uniform: Callable[[], float],
        retry: Retry | None = None,
        max_bytes: int = MAX_BLOB_BYTES,
    ) -> None:
        self._uniform = uniform
        self._retry = retry or Retry(first_s=4.0, cap_s=60.0)
        self._max_bytes = max_bytes
        self._fetches: dict[str, _Fetch] = {}
        self._online = False
        self._served = True
        self._heard_at: float | None = None
        self._asked_at: float | None = None
        # The longest gap between chunks lately, in seconds.
        self._gap_s = 0.0
        self.unanswered = 0
        """How many times in a row was asked and nothing came."""

    @property
    def wake_at(self) -> float | None:
        """When `tick` has something to do."""
        if not self._online or not self._served:
            return None
        return min((fetch.ask_at for fetch in self._fetches.values()), default=None)

    @property
    def waiting_for(self) -> frozenset[str]:
        """The hashes of the blobs that are still to come."""
        return frozenset(self._fetches)

    def progress(self) -> tuple[int, int]:
        """Return how many chunks have come and how many there are, of all that is waited for."""
        assemblies = [fetch.assembly for fetch in self._fetches.values()]
        return sum(one.received for one in assemblies), sum(one.ref.chunks for one in assemblies)

    def fetch(self, refs: Iterable[BlobRef], now: float) -> list[FetchEffect]:
        """Wait for these blobs, and for no others; what has come of them already is kept.

        Raises:
            ProtocolError: one is larger than this device takes; then it waits for nothing.
        """
        wanted = {ref.sha256: ref for ref in refs}
        if not self._fetches:
            self._heard_at, self.unanswered = None, 0
        effects: list[FetchEffect] = []
        for sha256 in [known for known in self._fetches if known not in wanted]:
            del self._fetches[sha256]
            effects.append(StopListening(sha256))
        for sha256, ref in wanted.items():
            known = self._fetches.get(sha256)
            if known is not None and known.assembly.ref == ref:
                continue
            try:
                assembly = Assembly(ref, max_bytes=self._max_bytes)
            except ProtocolError:
                self._fetches.clear()
                raise
            self._fetches[sha256] = _Fetch(assembly, now)
            effects.append(Listen(sha256))
        return effects + self.tick(now)

    def stop(self, now: float) -> list[FetchEffect]:
        """Wait for nothing more."""
        return self.fetch((), now)

    def chunk(self, sha256: str, index: int, payload: bytes, now: float) -> list[FetchEffect]:
        """A chunk came.

        Raises:
            ProtocolError: it is not a chunk of the blob, or the whole has another hash and is fetched anew.
        """
        fetch = self._fetches.get(sha256)
        if fetch is None or not fetch.assembly.add(index, payload):
            return []
        self._came(now)
        if not fetch.assembly.complete:
            fetch.asks = 0
            return []
        try:
            data = fetch.assembly.take()
        except ProtocolError:
            fetch.ask_at = now + self._patience_s(fetch.asks)
            fetch.asks += 1
            raise
        del self._fetches[sha256]
        return [StopListening(sha256), Arrived(sha256, data)]

    def connected(self, now: float) -> list[FetchEffect]:
        """The broker has us: ask at once for all that is lacking."""
        self._online = True
        return self._ask_anew(now)

    def disconnected(self) -> None:
        """The broker lost us."""
        self._online = False

    def server(self, *, online: bool, restarted: bool, now: float) -> list[FetchEffect]:
        """The aggregator is there, or away; when it is back, or another than before, ask at once."""
        back = online and (restarted or not self._served)
        self._served = online
        return self._ask_anew(now) if back else []

    def tick(self, now: float) -> list[FetchEffect]:
        """Ask for what is lacking and due."""
        if not self._online or not self._served:
            return []
        effects: list[FetchEffect] = []
        for sha256, fetch in self._fetches.items():
            if now >= fetch.ask_at:
                fetch.ask_at = now + self._patience_s(fetch.asks)
                fetch.asks += 1
                effects.append(Ask(Want(sha256=sha256, ranges=fetch.assembly.lacking())))
        if effects:
            self.unanswered += 1
            self._asked_at = now
        return effects

    def _came(self, now: float) -> None:
        """A chunk came that was lacking: what else is lacking may be on its way behind it."""
        before = self._heard_at if self._heard_at is not None else self._asked_at
        if before is not None:
            self._gap_s = min(max(now - before, _FADING * self._gap_s), _LONGEST_GAP_S)
        self._heard_at = now
        self.unanswered = 0
        wait_s = self._patience_s(0)
        for fetch in self._fetches.values():
            fetch.ask_at = max(fetch.ask_at, now + wait_s)

    def _patience_s(self, asks: int) -> float:
        # Nobody knows yet how slow the line is before the first chunk has come.
        tries = asks if self._heard_at is not None else asks + 1
        return max(self._retry.wait_s(tries, uniform=self._uniform), _GAPS * self._gap_s)

    def _ask_anew(self, now: float) -> list[FetchEffect]:
        self._heard_at, self._gap_s = None, 0.0
        for fetch in self._fetches.values():
            fetch.ask_at, fetch.asks = now, 0
        return self.tick(now)
