"""Builds a whole model: both programs and the manifest that describes them."""

from __future__ import annotations

import hashlib

import tensorflow as tf

from shared.labels import LabelSet
from tflite_models.architecture import Architecture, default_architecture
from tflite_models.build.convert import convert
from tflite_models.build.frozen_reader import READER_BATCHES, build_reader
from tflite_models.build.training_program import OPTIMIZERS, TrainingProgram
from tflite_models.bundle import PROGRAM_FILE, READER_FILE, ModelBundle
from tflite_models.manifest import FileSpec, Manifest

BATCH = 32


def build_model(
    labels: LabelSet, *, architecture: Architecture | None = None, name: str | None = None, batch: int = BATCH
) -> ModelBundle:
    """Build the model of a label set. The same arguments and versions give the same bytes.

    Args:
        labels: the classes.
        architecture: the layers; the default network where absent.
        name: what a person calls the model; the label set's name where absent.
        batch: samples in one training step.

    Raises:
        ModelError: the architecture does not end in one probability per label, or cannot be built of builtin ops.
    """
    network = architecture or default_architecture(len(labels))
    network.check(classes=len(labels))
    module = TrainingProgram(network, batch=batch)
    program = convert(module, module.signatures(), name=PROGRAM_FILE)
    reader, constants = build_reader(network, name=READER_FILE)
    manifest = Manifest(
        name=name or labels.name,
        labels=labels.labels,
        label_set=labels.name,
        layers=network.layers,
        input_shape=network.input_shape,
        batch=batch,
        reader_batches=READER_BATCHES,
        parameters=network.parameters(),
        masks=network.masks(batch=batch),
        optimizers=OPTIMIZERS,
        program=_file(PROGRAM_FILE, program),
        reader=_file(READER_FILE, reader),
        reader_constants=constants,
        versions={"tensorflow": tf.__version__},
    )
    return ModelBundle.from_bytes(manifest=manifest.to_bytes(), program=program, reader=reader)


def _file(name: str, data: bytes) -> FileSpec:
    return FileSpec(name=name, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
