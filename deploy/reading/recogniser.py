"""Opening a reader for a command: the model that ships for a label set, with its own or given weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import ModelError

if TYPE_CHECKING:
    from edge_client.reading import Recogniser


def open_recogniser(labels: str, *, weights: Path | None, threads: int = 1) -> Recogniser:
    """Open a reader.

    Args:
        labels: the label set.
        weights: a ``.safetensors`` file of a run; None for the weights that ship.
        threads: CPU threads of the network.

    Raises:
        ModelError: no weights ship for the label set, or those given cannot be read or do not fit it.
    """
    from edge_client.reading import Recogniser
    from tflite_models.bundle import builtin_bundle
    from tflite_models.runtime.weights import load_weights

    bundle = builtin_bundle(labels)
    if weights is None:
        from tflite_models.shipped_weights import default_weights

        return Recogniser(bundle, weights=default_weights(labels), threads=threads)
    try:
        return Recogniser(bundle, weights=load_weights(weights, bundle.manifest), threads=threads)
    except ModelError as error:
        if str(weights) in str(error):
            raise
        raise ModelError(f"{weights}: {error} (they are read as --labels {labels})") from None
