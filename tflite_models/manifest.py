"""The manifest of a model: what its two programs are, and how to feed them. It lies beside them as JSON."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ModelError
from shared.labels import LabelSet
from tflite_models.architecture import Architecture, LayerSpec, MaskSpec, ParameterSpec

__all__ = ["ConstantSpec", "FileSpec", "Manifest", "MaskSpec", "ParameterSpec", "parse_manifest"]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileSpec(_Spec):
    """One file of the model, by name, hash and size."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=1)


class ConstantSpec(_Spec):
    """Where the frozen reader holds one parameter.

    Attributes:
        parameter: its name.
        offset_bytes: where its little-endian float32 values begin in the file.
        axes: the order of the parameter's axes there: the converter stores some kernels transposed.
    """

    parameter: str
    offset_bytes: int = Field(ge=0)
    axes: tuple[int, ...]


class Manifest(_Spec):
    """What a model is.

    Attributes:
        format: the version of this layout.
        name: what a person calls the model.
        labels: the class of each output, in order.
        label_set: the name of the label set.
        layers: the architecture.
        input_shape: rows, columns and channels of a picture.
        batch: samples in one step of the training program; a shorter batch is padded with weight 0.
        reader_batches: batch sizes that the frozen reader takes, smallest first.
        parameters: the trained tensors; THE order of the weights.
        masks: the dropout masks that one training step takes.
        optimizers: the optimizers that the training program holds.
        program: the training program's file.
        reader: the frozen reader's file.
        reader_constants: where the reader holds each parameter.
        versions: what it was built with.
    """

    format: Literal[1] = 1
    name: str
    labels: tuple[str, ...] = Field(min_length=1)
    label_set: str
    layers: tuple[LayerSpec, ...]
    input_shape: tuple[int, int, int]
    batch: int = Field(ge=1)
    reader_batches: tuple[int, ...] = Field(min_length=1)
    parameters: tuple[ParameterSpec, ...]
    masks: tuple[MaskSpec, ...]
    optimizers: tuple[str, ...]
    program: FileSpec
    reader: FileSpec
    reader_constants: tuple[ConstantSpec, ...]
    versions: dict[str, str]

    def label_set_object(self) -> LabelSet:
        """Return the labels as a set that encodes and decodes."""
        return LabelSet(self.label_set, self.labels)

    def architecture(self) -> Architecture:
        """Return the layers with what follows from them."""
        return Architecture(input_shape=self.input_shape, layers=self.layers)

    def to_bytes(self) -> bytes:
        """Return the JSON that is written to disk: the same bytes for the same manifest."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest from JSON.

    Raises:
        ModelError: it is no JSON, lacks a key, has one that is unknown, or contradicts itself.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ModelError(f"the manifest is not usable: {where}: {first['msg']}; build the model again") from None
    architecture = manifest.architecture()
    architecture.check(classes=len(manifest.labels))
    if architecture.parameters() != manifest.parameters:
        raise ModelError("the manifest's parameters do not follow from its layers; build the model again")
    if architecture.masks(batch=manifest.batch) != manifest.masks:
        raise ModelError("the manifest's masks do not follow from its layers; build the model again")
    return manifest
