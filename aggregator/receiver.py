"""Updates on their way in, without I/O: one at a time of each device, within a bound of memory."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import ProtocolError
from shared.messages import Range, UpdateManifest
from shared.transfer import Assembly


@dataclass(frozen=True)
class Arrived:
    """An update whose chunks are all there; its bytes are not checked yet."""

    device: str
    manifest: UpdateManifest
    assembly: Assembly


@dataclass(frozen=True)
class Lacking:
    """What a device is to send again."""

    device: str
    manifest: UpdateManifest
    ranges: tuple[Range, ...]


@dataclass
class _Incoming:
    manifest: UpdateManifest
    assembly: Assembly
    heard_at: float
    ask_at: float
    asked: int = 0
    # All chunks are there, and the update is being checked.
    handed_over: bool = False
    # When it was opened, or a chunk came that was lacking.
    grew_at: float = 0.0
    # How often the whole did not have its hash.
    garbled: int = 0


class Receiver:
    """Puts the chunks of updates together.

    A device's manifest opens an assembly; its chunks follow. Where chunks stay away for ``quiet_s``, the device is told
    what is lacking, and again after twice that time, and so on: on a slow line chunks are late, not lost. While
    chunks of others come, its own may be behind them on our line, and it is not told before ``LONGEST_QUIET_S``.
    A whole that does not have its hash is asked for anew, for one damaged chunk must not cost the device its round; the
    third is the last.

    Args:
        max_update_bytes: a larger update is refused.
        max_total_bytes: of all assemblies; where they leave no room, those that have not grown for `LONGEST_QUIET_S`
            give way. A device whose update finds none, or gave way, repeats its manifest, and is heard then.
        quiet_s: see above, in seconds.
    """

    LONGEST_QUIET_S = 60.0
    MOST_GARBLED = 3

    def __init__(self, *, max_update_bytes: int, max_total_bytes: int, quiet_s: float) -> None:
        self._max_update_bytes = max_update_bytes
        self._max_total_bytes = max_total_bytes
        self._quiet_s = quiet_s
        self._incoming: dict[str, _Incoming] = {}
        self._total_bytes = 0
        self._heard_at = float("-inf")
        self.dropped_chunks = 0
        """How many chunks belonged to no update that is awaited, or were broken."""

    @property
    def total_bytes(self) -> int:
        """The memory taken, in bytes."""
        return self._total_bytes

    def manifest(self, device: str, manifest: UpdateManifest, *, now: float) -> Lacking | None:
        """Take in an update's manifest, which has passed `check_manifest`.

        Returns:
            What is lacking, if its chunks wait to be asked for, or it is a repeat and they do not come.

        Raises:
            ProtocolError: it is larger than an update can be.
        """
        known = self._incoming.get(device)
        if known is not None and known.manifest.blob == manifest.blob and known.manifest.round == manifest.round:
            if known.handed_over or now - known.heard_at < min(self._quiet_s, 1.0):
                return None
            known.manifest = manifest
            return self._ask(device, known, now)
        if known is not None and known.handed_over:
            return None
        assembly = Assembly(manifest.blob, max_bytes=self._max_update_bytes)
        self.forget(device)
        if self._total_bytes + manifest.blob.size_bytes > self._max_total_bytes:
            self._make_room(now)
        if self._total_bytes + manifest.blob.size_bytes > self._max_total_bytes:
            return None
        self._total_bytes += manifest.blob.size_bytes
        known = self._incoming[device] = _Incoming(manifest, assembly, now, now + self._quiet_s, grew_at=now)
        # After a restart of either side nothing is on its way: there is no use in waiting for it.
        return None if manifest.follows else self._ask(device, known, now)

    def chunk(self, device: str, sha256: str, index: int, payload: bytes, *, now: float) -> Arrived | None:
        """Take in a chunk; return the update if it was the last one lacking."""
        known = self._incoming.get(device)
        if known is None or known.manifest.blob.sha256 != sha256 or known.handed_over:
            self.dropped_chunks += 1
            return None
        try:
            if known.assembly.add(index, payload):
                known.grew_at = now
        except ProtocolError:
            self.dropped_chunks += 1
            return None
        self._heard_at = known.heard_at = now
        known.asked, known.ask_at = 0, now + self._quiet_s
        if not known.assembly.complete:
            return None
        known.handed_over = True
        return Arrived(device, known.manifest, known.assembly)

    def garbled(self, device: str, *, now: float) -> Lacking | None:
        """The update that was handed over does not have its hash: return all of it as lacking, or None at the last."""
        known = self._incoming.get(device)
        if known is None:
            return None
        known.garbled += 1
        if known.garbled >= self.MOST_GARBLED:
            return None
        known.handed_over, known.heard_at = False, now
        return self._ask(device, known, now)

    def arriving(self, device: str) -> UpdateManifest | None:
        """Return the update of a device whose chunks are still awaited, if there is one."""
        known = self._incoming.get(device)
        return None if known is None or known.handed_over else known.manifest

    def all_arriving(self) -> dict[str, UpdateManifest]:
        """Return the updates whose chunks are still awaited, by their devices."""
        return {name: known.manifest for name, known in self._incoming.items() if not known.handed_over}

    def forget(self, device: str) -> None:
        """Drop what is there of a device's update: it has its verdict."""
        known = self._incoming.pop(device, None)
        if known is not None:
            self._total_bytes -= known.manifest.blob.size_bytes

    def keep_only(self, *, round_number: int) -> None:
        """Drop the updates to other rounds that are still arriving."""
        for device in [name for name, known in self._incoming.items() if known.manifest.round != round_number]:
            if not self._incoming[device].handed_over:
                self.forget(device)

    def quiet(self, *, now: float) -> list[Lacking]:
        """Return what is lacking of the updates whose chunks stay away."""
        late = [(name, known) for name, known in self._incoming.items() if not known.handed_over]
        return [self._ask(name, known, now) for name, known in late if now >= self._due_at(known)]

    def all_lacking(self, *, now: float) -> list[Lacking]:
        """Return what is lacking of every update: the connection was lost, and chunks with it."""
        return [self._ask(name, known, now) for name, known in self._incoming.items() if not known.handed_over]

    @property
    def next_quiet_at(self) -> float | None:
        """When `quiet` may next have something to say; None while nothing is arriving."""
        return min((self._due_at(known) for known in self._incoming.values() if not known.handed_over), default=None)

    def _make_room(self, now: float) -> None:
        """Drop what has not grown for long: devices that announce updates and never send them take no other's place."""
        for device in [name for name, known in self._incoming.items() if now - known.grew_at >= self.LONGEST_QUIET_S]:
            if not self._incoming[device].handed_over:
                self.forget(device)

    def _due_at(self, known: _Incoming) -> float:
        """When to ask a device for what stays away."""
        latest = max(known.ask_at, known.heard_at + self.LONGEST_QUIET_S)
        return min(max(known.ask_at, self._heard_at + self._quiet_s), latest)

    def _ask(self, device: str, known: _Incoming, now: float) -> Lacking:
        known.asked += 1
        known.ask_at = now + min(self._quiet_s * 2.0 ** min(known.asked, 16), max(self.LONGEST_QUIET_S, self._quiet_s))
        return Lacking(device, known.manifest, known.assembly.lacking())
