"""Which weights a device reads with: those it has adopted from its fleet, or, before any, those that ship."""

from __future__ import annotations

from dataclasses import dataclass

from edge_client.adoption import WeightsShelf
from shared.tensors import decode_tensors, sha256_of
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import Weights

DEFAULT_LABELS = "algebra"
"""The label set whose weights ship."""


@dataclass(frozen=True, eq=False)
class ReadingWeights:
    """Weights to read with, and their model.

    Attributes:
        bundle: the model.
        weights: by parameter.
        sha256: of the weights' safetensors file.
        origin: ``fleet`` or ``shipped``.
        run: that made them; empty if unknown.
        rounds: after how many rounds of it.
    """

    bundle: ModelBundle
    weights: Weights
    sha256: str
    origin: str
    run: str = ""
    rounds: int = 0


def adopted_weights(shelf: WeightsShelf) -> ReadingWeights | None:
    """Return the weights that were adopted; None if none were, or their model is not at hand.

    Raises:
        StorageError: a file is there and cannot be read.
        ProtocolError: the weights are not their model's.
    """
    label, blob, bundle = shelf.current(), shelf.read(), shelf.model()
    if label is None or blob is None or bundle is None or sha256_of(blob) != label.weights_sha256:
        return None
    weights = decode_tensors(blob, shapes={spec.name: spec.shape for spec in bundle.manifest.parameters})
    return ReadingWeights(bundle, weights, label.weights_sha256, "fleet", label.run, label.rounds)


def shipped_weights() -> ReadingWeights:
    """Return the weights that ship.

    Raises:
        ModelError: they are not in this installation.
    """
    from tflite_models.shipped_weights import default_weights, default_weights_path

    weights = default_weights(DEFAULT_LABELS)
    sha256 = sha256_of(default_weights_path(DEFAULT_LABELS).read_bytes())
    return ReadingWeights(builtin_bundle(DEFAULT_LABELS), weights, sha256, "shipped")
