"""Models on disk and off the wire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import ModelError
from shared.labels import LABEL_SETS
from tflite_models.bundle import ModelBundle, builtin_bundle, builtin_names
from tflite_models.manifest import parse_manifest


def test_a_model_ships_for_every_label_set() -> None:
    """Nobody needs TensorFlow to begin: every label set of the design has its model."""
    assert set(builtin_names()) == set(LABEL_SETS)
    for name, labels in LABEL_SETS.items():
        found = builtin_bundle(name).manifest
        assert found.label_set_object() == labels
        assert found.parameters[-1].shape == (len(labels),)


def test_unknown_name_lists_the_models_there_are() -> None:
    """A label set without a model is answered with those that have one."""
    with pytest.raises(ModelError, match=r"no model ships for 'greek'; choose algebra, all, arithmetic"):
        builtin_bundle("greek")


def test_saved_model_loads_with_the_same_identity(bundle: ModelBundle, tmp_path: Path) -> None:
    """A model that is saved and loaded again has the same hash."""
    bundle.save(tmp_path / "copy")
    assert ModelBundle.load(tmp_path / "copy").sha256 == bundle.sha256


@pytest.mark.parametrize("file", ["program", "reader"])
def test_one_changed_byte_is_found(bundle: ModelBundle, file: str) -> None:
    """A program that differs from the manifest's hash in one byte is refused, by name."""
    parts = {"program": bundle.program, "reader": bundle.reader}
    damaged = bytearray(parts[file])
    damaged[len(damaged) // 2] ^= 1
    parts[file] = bytes(damaged)
    with pytest.raises(ModelError, match=r"(train|reader)\.tflite: expected sha256"):
        ModelBundle.from_bytes(manifest=bundle.manifest_bytes, **parts)


def test_short_file_is_found(bundle: ModelBundle) -> None:
    """A file that is cut short is refused with both sizes."""
    with pytest.raises(ModelError, match=r"train\.tflite: expected \d+ bytes, got 1000"):
        ModelBundle.from_bytes(manifest=bundle.manifest_bytes, program=bundle.program[:1000], reader=bundle.reader)


def test_missing_file_is_named(bundle: ModelBundle, tmp_path: Path) -> None:
    """A folder without one of the three files is refused with the path."""
    bundle.save(tmp_path)
    (tmp_path / "reader.tflite").unlink()
    with pytest.raises(ModelError, match=r"model file .*reader\.tflite"):
        ModelBundle.load(tmp_path)


def test_manifest_that_contradicts_itself_is_refused(bundle: ModelBundle) -> None:
    """Parameters must follow from the layers, or weights would be read in a wrong order."""
    content = json.loads(bundle.manifest_bytes)
    content["parameters"].reverse()
    with pytest.raises(ModelError, match="parameters do not follow from its layers"):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"format": 2}'])
def test_bytes_that_are_no_manifest_are_refused(text: bytes) -> None:
    """Whatever is not a manifest ends in one line, not in a traceback."""
    with pytest.raises(ModelError, match="the manifest is not usable"):
        parse_manifest(text)
