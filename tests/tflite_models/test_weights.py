"""Weights: drawn, checked, saved and loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.errors import ModelError
from shared.tensors import encode_tensors
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import check_weights, initial_weights, load_weights


def test_initial_weights_are_glorot_uniform(bundle: ModelBundle) -> None:
    """Kernels fill their Glorot interval, biases are zero, and the seed decides."""
    weights = initial_weights(bundle.manifest, seed=3)
    limit = np.sqrt(6 / (2592 + 128))
    kernel = weights["dense1.kernel"]
    assert 0.999 * limit < np.abs(kernel).max() <= limit
    assert not weights["dense1.bias"].any()
    again, other = (initial_weights(bundle.manifest, seed=seed)["dense1.kernel"] for seed in (3, 4))
    assert np.array_equal(kernel, again)
    assert not np.array_equal(kernel, other)


def test_check_puts_weights_in_the_models_order(bundle: ModelBundle) -> None:
    """Whatever order weights come in, they leave in the manifest's."""
    weights = initial_weights(bundle.manifest, seed=0)
    shuffled = {name: weights[name] for name in sorted(weights, reverse=True)}
    assert list(check_weights(bundle.manifest, shuffled)) == [spec.name for spec in bundle.manifest.parameters]


def test_weights_of_another_model_are_refused(bundle: ModelBundle) -> None:
    """Weights of another label set are refused, with the parameter and both shapes."""
    other = initial_weights(builtin_bundle("algebra").manifest, seed=0)
    with pytest.raises(ModelError, match=r"classes\.kernel: expected float32 of shape \(128, 17\), got .*\(128, 24\)"):
        check_weights(bundle.manifest, other)


def test_missing_and_unknown_parameters_are_named(bundle: ModelBundle) -> None:
    """A set that lacks one parameter and has another is refused with both names."""
    weights = initial_weights(bundle.manifest, seed=0)
    weights["extra"] = weights.pop("conv1.bias")
    with pytest.raises(ModelError, match=r"without conv1\.bias and with unknown extra"):
        check_weights(bundle.manifest, weights)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bundle: ModelBundle, value: float) -> None:
    """One NaN or infinity is enough."""
    weights = initial_weights(bundle.manifest, seed=0)
    weights["conv2.bias"][3] = value
    with pytest.raises(ModelError, match=r"conv2\.bias: expected finite values"):
        check_weights(bundle.manifest, weights)


def test_weights_come_back_from_a_file(bundle: ModelBundle, tmp_path: Path) -> None:
    """As a run writes them, bit for bit."""
    weights = initial_weights(bundle.manifest, seed=0)
    (tmp_path / "w.safetensors").write_bytes(encode_tensors(weights))
    loaded = load_weights(tmp_path / "w.safetensors", bundle.manifest)
    assert all(np.array_equal(loaded[name], weights[name]) for name in weights)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\xff" * 64])
def test_files_that_hold_no_weights_are_refused(bundle: ModelBundle, tmp_path: Path, content: bytes) -> None:
    """A file of something else ends in one line that names it."""
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"w\.safetensors is no safetensors file"):
        load_weights(path, bundle.manifest)


def test_missing_weights_are_named(bundle: ModelBundle, tmp_path: Path) -> None:
    """A path without a file is named."""
    with pytest.raises(ModelError, match=r"weights .*nowhere.*: No such file"):
        load_weights(tmp_path / "nowhere", bundle.manifest)
