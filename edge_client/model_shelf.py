"""The models at hand: those that ship with Inkfleet, and those that were fetched."""

from __future__ import annotations

from functools import cache

from edge_client.blob_cache import BlobCache
from shared.errors import ModelError
from shared.labels import LabelSet
from shared.messages import BlobRef, ModelRef
from tflite_models.bundle import ModelBundle, builtin_bundle, builtin_names
from tflite_models.manifest import parse_manifest


@cache
def builtin_hashes() -> dict[str, str]:
    """Return the name of every model that ships, by the hash of its manifest."""
    return {builtin_bundle(name).sha256: name for name in builtin_names()}


@cache
def _builtin_labels(name: str) -> LabelSet:
    return builtin_bundle(name).manifest.label_set_object()


def lacking_blobs(model: ModelRef, cached: BlobCache) -> list[BlobRef]:
    """Name the blobs that must be fetched before the model can be loaded; none if it ships with Inkfleet."""
    if model.manifest.sha256 in builtin_hashes():
        return []
    return [ref for ref in (model.manifest, model.program, model.reader) if ref.sha256 not in cached]


def known_labels(model: ModelRef, cached: BlobCache) -> LabelSet | None:
    """Return the labels of a model that ships with Inkfleet or was fetched; None for one that nobody here knows.

    Raises:
        ModelError: its manifest is not what it says.
        StorageError: the cache cannot be read.
    """
    name = builtin_hashes().get(model.manifest.sha256)
    if name is not None:
        return _builtin_labels(name)
    manifest = cached.get(model.manifest.sha256)
    return None if manifest is None else parse_manifest(manifest).label_set_object()


def load_model(model: ModelRef, cached: BlobCache) -> ModelBundle:
    """Load a model, of those that ship or from the cache.

    Raises:
        ModelError: a part is not at hand, or is not what the manifest says.
        StorageError: the cache cannot be read.
    """
    name = builtin_hashes().get(model.manifest.sha256)
    if name is not None:
        return builtin_bundle(name)
    parts = {}
    for what in ("manifest", "program", "reader"):
        data = cached.get(getattr(model, what).sha256)
        if data is None:
            raise ModelError(f"model {model.name!r}: its {what} is no longer in the cache; is the disk failing?")
        parts[what] = data
    return ModelBundle.from_bytes(**parts)
