"""``inkfleet model``: inspect, verify, evaluate, and their bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from deploy.cli.model import group
from shared.dataset import Dataset
from shared.errors import InkfleetError, ModelError
from shared.tensors import encode_tensors
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import initial_weights


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(group, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("command", ["build", "inspect", "verify", "evaluate"])
def test_every_command_has_an_example(command: str) -> None:
    """--help shows how a command is used."""
    assert f"inkfleet model {command}" in " ".join(run(command, "--help").output.split())


def test_inspect_names_layers_and_sizes() -> None:
    """A shipped model's layers, parameters and signatures are shown, as a table and as JSON."""
    assert "conv1" in run("inspect", "arithmetic").output
    found = as_json("inspect", "arithmetic")
    assert found["parameters"] == 360_177
    assert sum(layer["parameters"] for layer in found["layers"]) == found["parameters"]
    assert {signature["name"] for signature in found["signatures"]} >= {"train", "evaluate", "read_1", "read_32"}


def test_verify_accepts_a_folder(bundle: ModelBundle, tmp_path: Path) -> None:
    """A model in a folder is verified like one that ships."""
    bundle.save(tmp_path)
    found = as_json("verify", str(tmp_path))
    assert found["ok"] is True
    assert found["sha256"] == bundle.sha256


def test_verify_refuses_a_damaged_model(bundle: ModelBundle, tmp_path: Path) -> None:
    """A changed file is named."""
    bundle.save(tmp_path)
    (tmp_path / "train.tflite").write_bytes(bundle.program[:-1] + b"\x01")
    with pytest.raises(ModelError, match=r"train\.tflite: expected sha256"):
        run("verify", str(tmp_path))


def test_unknown_model_is_refused() -> None:
    """A name that is neither a folder nor a shipped model is answered with those there are."""
    with pytest.raises(ModelError, match="no model at 'greek'; give a folder, or one of algebra, all, arithmetic"):
        run("inspect", "greek")


def test_evaluate_measures_weights_on_a_dataset(
    bundle: ModelBundle, strokes: tuple[NDArray[np.uint8], NDArray[np.int32]], tmp_path: Path
) -> None:
    """Accuracy, loss, samples and confusion agree with each other, and the dataset's labels are the model's."""
    images, labels = strokes
    names = np.array(["1", "-", "+"])[labels]
    Dataset(images, names, np.full(96, "w")).save(tmp_path / "d.npz")
    (tmp_path / "w.safetensors").write_bytes(encode_tensors(initial_weights(bundle.manifest, seed=0)))
    found = as_json("evaluate", "--weights", str(tmp_path / "w.safetensors"), "--data", str(tmp_path / "d.npz"))
    confusion = np.array(found["confusion"])
    assert found["samples"] == confusion.sum() == 96
    assert found["accuracy"] == pytest.approx(np.trace(confusion) / 96)
    assert found["loss"] > 0
    assert confusion[bundle.manifest.labels.index("+")].sum() == 32


def test_evaluate_refuses_what_is_missing(bundle: ModelBundle, tmp_path: Path) -> None:
    """Missing weights and missing data are each one line."""
    with pytest.raises(ModelError, match="No such file"):
        run("evaluate", "--weights", str(tmp_path / "w"), "--data", str(tmp_path / "d.npz"))
    (tmp_path / "w.safetensors").write_bytes(encode_tensors(initial_weights(bundle.manifest, seed=0)))
    with pytest.raises(InkfleetError, match=r"d\.npz"):
        run("evaluate", "--weights", str(tmp_path / "w.safetensors"), "--data", str(tmp_path / "d.npz"))
