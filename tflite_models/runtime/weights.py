"""Weights: one float32 array per parameter, in the order of the manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.bounded_files import read_bounded
from shared.errors import ModelError
from tflite_models.manifest import Manifest

Weights = dict[str, NDArray[np.float32]]

MOST_WEIGHTS_BYTES = 512 << 20
"""A larger file of weights is refused before it is read: they are held in memory, some times over."""


def initial_weights(manifest: Manifest, *, seed: int) -> Weights:
    """Draw the weights that training begins with: Glorot uniform kernels, zero biases, as Keras does.

    Kernels are uniform in ``±√(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010, equation 16).

    Args:
        manifest: of the model.
        seed: the same seed gives the same weights.
    """
    generator = np.random.default_rng(seed)
    weights: Weights = {}
    for spec in manifest.parameters:
        if len(spec.shape) == 1:
            weights[spec.name] = np.zeros(spec.shape, np.float32)
            continue
        field = math.prod(spec.shape[:-2])
        limit = math.sqrt(6 / (field * (spec.shape[-2] + spec.shape[-1])))
        weights[spec.name] = generator.uniform(-limit, limit, spec.shape).astype(np.float32)
    return weights


def check_weights(manifest: Manifest, weights: Mapping[str, NDArray[Any]]) -> Weights:
    """Make sure that weights belong to a model, and return them in its order.

    Raises:
        ModelError: a name is missing or unknown, a shape or dtype is another, or a value is not finite.
    """
    expected = [spec.name for spec in manifest.parameters]
    if set(weights) != set(expected):
        missing = [name for name in expected if name not in weights]
        unknown = sorted(set(weights) - set(expected))
        what = [f"without {', '.join(missing[:3])}"] if missing else []
        what += [f"with unknown {', '.join(unknown[:3])}"] if unknown else []
        raise ModelError(
            f"these are the weights of another model: expected the parameters of {manifest.name!r}, "
            f"got a set {' and '.join(what)}"
        )
    checked: Weights = {}
    for spec in manifest.parameters:
        array = weights[spec.name]
        if tuple(array.shape) != spec.shape or array.dtype != np.float32:
            raise ModelError(
                f"{spec.name}: expected float32 of shape {spec.shape}, got {array.dtype} of shape {array.shape}; "
                f"these are the weights of another model than {manifest.name!r}"
            )
        if not np.isfinite(array).all():
            raise ModelError(f"{spec.name}: expected finite values, got NaN or infinity; these weights are broken")
        checked[spec.name] = array
    return checked


def load_weights(path: Path, manifest: Manifest) -> Weights:
    """Read weights from a safetensors file.

    Raises:
        ModelError: the file is missing or too large, is no safetensors file, or holds the weights of another model;
            the message names the file unless it is about what the file holds.
    """
    from safetensors.numpy import load

    data = read_bounded(path, what="weights", most_bytes=MOST_WEIGHTS_BYTES, error=ModelError)
    try:
        tensors = load(data)
    except Exception as error:  # safetensors raises its own kind, and others for lying offsets
        raise ModelError(f"{path} is no safetensors file ({error}); give the weights of a run") from None
    return check_weights(manifest, tensors)
