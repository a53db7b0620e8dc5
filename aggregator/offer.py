"""What a round is trained with, as the fleet can ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.messages import BlobRef, ModelRef
from tflite_models.bundle import ModelBundle


@dataclass(frozen=True, eq=False)
class Offer:
    """A model and weights, cut into chunks.

    Attributes:
        blobs: the model's manifest, its two programs and the weights, with their bytes.
        model: the model, as a round's manifest names it.
        weights: the weights, as it names them.
    """

    blobs: tuple[tuple[BlobRef, bytes], ...]
    model: ModelRef
    weights: BlobRef


def offer(model: ModelBundle, *, data: bytes, sha256: str, chunk_bytes: int) -> Offer:
    """Cut a model and weights into chunks; their hashes are known already.

    Args:
        model: that the fleet trains.
        data: the weights, as a safetensors file.
        sha256: of ``data``.
        chunk_bytes: the size of a chunk, in bytes.
    """
    parts = (
        (model.sha256, model.manifest_bytes),
        (model.manifest.program.sha256, model.program),
        (model.manifest.reader.sha256, model.reader),
        (sha256, data),
    )
    blobs = tuple(
        (BlobRef(sha256=digest, size_bytes=len(part), chunk_bytes=chunk_bytes), part) for digest, part in parts
    )
    manifest, program, reader, weights = (ref for ref, _ in blobs)
    name = model.manifest.name[:200]
    return Offer(blobs, ModelRef(name=name, manifest=manifest, program=program, reader=reader), weights)
