"""Gets what a round needs, model and weights, from the aggregator, and keeps it at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_client.blob_cache import BlobCache
from edge_client.fetch import MAX_BLOB_BYTES, Arrived, Ask, FetchEffect, Fetcher, Listen, StopListening
from edge_client.model_shelf import known_labels, lacking_blobs, load_model
from edge_client.uplink import Uplink, in_vain
from shared.errors import InkfleetError, ProtocolError, StorageError
from shared.labels import LabelSet
from shared.messages import BlobRef, ModelRef, RoundManifest

if TYPE_CHECKING:
    from tflite_models.bundle import ModelBundle


class Supplies:
    """What the rounds need, with its I/O. Not locked: the device's own thread calls it.

    Args:
        cache: what was fetched.
        uplink: what is published, and listened to.
        arrived: told that all that a round needs is on the disk.
        failed: told that it will not come, and why.
        emit: told what happens.
        uniform: draws from [0, 1); the source of jitter.
        clock: monotonic, in seconds.
        max_bytes: what the model and the weights of a round may take together.
    """

    def __init__(
        self,
        *,
        cache: BlobCache,
        uplink: Uplink,
        arrived: Callable[[RoundManifest], None],
        failed: Callable[[RoundManifest, str], None],
        emit: Callable[[dict[str, Any]], None],
        uniform: Callable[[], float],
        clock: Callable[[], float],
        max_bytes: int = MAX_BLOB_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self._cache = cache
        self._uplink = uplink
        self._arrived = arrived
        self._failed = failed
        self._emit = emit
        self._clock = clock
        self._fetcher = Fetcher(uniform=uniform)
        self._fetching: RoundManifest | None = None
        self._began = 0.0
        self.fetch_s = 0.0
        """How long the newest that arrived took, in seconds."""

    @property
    def wake_at(self) -> float | None:
        """When `tick` has something to do, by the clock."""
        return self._fetcher.wake_at

    def model(self, manifest: RoundManifest) -> Callable[[], ModelBundle]:
        """Return what loads the round's model; see `load_model`. It may be called on any thread."""
        return partial(load_model, manifest.model, self._cache)

    def labels(self, model: ModelRef) -> LabelSet | None:
        """Return the labels of a model, where its manifest is at hand; see `known_labels`."""
        return known_labels(model, self._cache)

    def weights(self, manifest: RoundManifest) -> Callable[[], bytes]:
        """Return what reads the round's weights; see `cached_weights`. It may be called on any thread."""
        return partial(cached_weights, self._cache, manifest.weights)

    def fetch(self, manifest: RoundManifest) -> None:
        """Get what is lacking for a round, and nothing else any more; ``arrived`` or ``failed`` is told."""
        self._fetching = manifest
        self._began = self._clock()
        try:
            self._check_size(manifest)
            lacking = lacking_blobs(manifest.model, self._cache)
            if manifest.weights.sha256 not in self._cache:
                lacking.append(manifest.weights)
            if lacking:
                size_bytes = sum(ref.size_bytes for ref in lacking)
                self._emit({"event": "fetching", "round": manifest.round, "bytes": size_bytes})
            self._listen(self._fetcher.fetch(lacking, self._clock()))
        except InkfleetError as error:
            self._give_up(manifest, str(error))
            return
        if not lacking:
            self._complete()

    def _check_size(self, manifest: RoundManifest) -> None:
        model = manifest.model
        refs = (model.manifest, model.program, model.reader, manifest.weights)
        size_bytes = sum(ref.size_bytes for ref in refs)
        if size_bytes > self._max_bytes:
            raise ProtocolError(
                f"the round's model and weights are {size_bytes / (1 << 20):,.1f} MiB, and this device takes "
                f"{self._max_bytes / (1 << 20):,.0f} MiB; raise --max-fetch-mib if it has the room"
            )

    def stop(self) -> None:
        """Get nothing more."""
        self._fetching = None
        self._listen(self._fetcher.stop(self._clock()))

    def connected(self) -> None:
        """The broker has us."""
        self._listen(self._fetcher.connected(self._clock()))

    def disconnected(self) -> None:
        """The broker lost us."""
        self._fetcher.disconnected()

    def server(self, *, online: bool, restarted: bool) -> None:
        """The aggregator is there, or away; or there again."""
        self._listen(self._fetcher.server(online=online, restarted=restarted, now=self._clock()))

    def chunk(self, sha256: str, index: int, payload: bytes) -> None:
        """A chunk of a blob came.

        Raises:
            ProtocolError: it does not belong to the blob, or made a whole of another hash.
        """
        self._listen(self._fetcher.chunk(sha256, index, payload, self._clock()))

    def tick(self) -> None:
        """Ask for what is lacking and due."""
        asked = self._fetcher.tick(self._clock())
        self._listen(asked)
        if asked and in_vain(self._fetcher.unanswered):
            self._uplink.distrust("the aggregator is there, and nothing that is asked for comes")

    def _listen(self, effects: Iterable[FetchEffect]) -> None:
        for effect in effects:
            match effect:
                case Listen(sha256):
                    self._uplink.listen(sha256)
                case StopListening(sha256):
                    self._uplink.stop_listening(sha256)
                case Ask(want):
                    self._uplink.ask(want)
                case Arrived(sha256, data):
                    self._keep(sha256, data)

    def _keep(self, sha256: str, data: bytes) -> None:
        manifest = self._fetching
        if manifest is None:
            return
        try:
            self._cache.put(sha256, data, protect=_blobs(manifest))
        except StorageError as error:
            self._listen(self._fetcher.stop(self._clock()))
            self._give_up(manifest, str(error))
            return
        if not self._fetcher.waiting_for:
            self._complete()

    def _complete(self) -> None:
        manifest, self._fetching = self._fetching, None
        if manifest is not None:
            self.fetch_s = max(0.0, self._clock() - self._began)
            self._arrived(manifest)

    def _give_up(self, manifest: RoundManifest, reason: str) -> None:
        self._fetching = None
        self._failed(manifest, reason)


def cached_weights(cache: BlobCache, ref: BlobRef) -> bytes:
    """Read weights from the cache.

    Raises:
        StorageError: they are not there any more.
    """
    data = cache.get(ref.sha256)
    if data is None:
        raise StorageError(f"the weights {ref.sha256[:12]} are no longer in the cache; is the disk failing?")
    return data


def _blobs(manifest: RoundManifest) -> set[str]:
    model = manifest.model
    return {ref.sha256 for ref in (model.manifest, model.program, model.reader, manifest.weights)}
