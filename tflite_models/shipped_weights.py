"""The weights that ship with Inkfleet, trained on generated handwriting alone: reading works before any fleet did."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ModelError
from tflite_models.bundle import builtin_bundle, builtin_folder, builtin_names
from tflite_models.runtime.weights import Weights, load_weights

WEIGHTS_FILE = "weights.safetensors"

SHIPPED = "shipped"
"""In place of a file: the weights that ship for the label set."""

RANDOM = "random"
"""In place of a file: weights drawn at random, as for a model that has learnt nothing."""


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


def first_weights_path(chosen: Path | None, *, label_set: str, built_in: bool) -> Path | None:
    """Find the weights that a run begins with.

    Args:
        chosen: a file, or `SHIPPED` or `RANDOM` in place of one; None for those that ship, where some do.
        label_set: of the model.
        built_in: whether the model is the built-in one; for another, none ship.

    Returns:
        Their file; None for random ones.

    Raises:
        ModelError: those that ship are asked for, and none do.
    """
    if chosen == Path(RANDOM):
        return None
    if chosen == Path(SHIPPED):
        return default_weights_path(label_set)
    if chosen is None and built_in and (builtin_folder(label_set) / WEIGHTS_FILE).is_file():
        return builtin_folder(label_set) / WEIGHTS_FILE
    return chosen


def default_weights(label_set: str) -> Weights:
    """Load the weights that ship for a label set's built-in model.

    Raises:
        ModelError: none ship for it, or the file is damaged.
    """
    return load_weights(default_weights_path(label_set), builtin_bundle(label_set).manifest)
