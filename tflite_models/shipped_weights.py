"""The weights that ship with Inkfleet, trained on generated handwriting alone: reading works before any fleet did."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ModelError
from tflite_models.bundle import builtin_bundle, builtin_folder, builtin_names
from tflite_models.runtime.weights import Weights, load_weights

WEIGHTS_FILE = "weights.safetensors"


def default_weights_path(label_set: str) -> Path:
    """Find the weights that ship for a label set's built-in model.

    Raises:
        ModelError: none ship for it; the message names the label sets that have some.
    """
    having = [name for name in builtin_names() if (builtin_folder(name) / WEIGHTS_FILE).is_file()]
    if label_set not in having:
        raise ModelError(
            f"no weights ship for the labels {label_set!r} (only for {', '.join(having)}): give the weights of a run "
            "(--weights)"
        )
    return builtin_folder(label_set) / WEIGHTS_FILE


def default_weights(label_set: str) -> Weights:
    """Load the weights that ship for a label set's built-in model.

    Raises:
        ModelError: none ship for it, or the file is damaged.
    """
    return load_weights(default_weights_path(label_set), builtin_bundle(label_set).manifest)
