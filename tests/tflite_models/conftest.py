"""Models and samples for the tests of the model."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.labels import LabelSet
from tflite_models.architecture import (
    Architecture,
    Conv2DSpec,
    DenseSpec,
    DropoutSpec,
    FlattenSpec,
    MaxPool2DSpec,
    ReLUSpec,
    SoftmaxSpec,
)
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.weights import initial_weights

SMALL_LABELS = LabelSet("small", ("0", "1", "+"))


@pytest.fixture(scope="session")
def bundle() -> ModelBundle:
    """The model that ships for arithmetic."""
    return builtin_bundle("arithmetic")


@pytest.fixture(scope="session")
def shared_program(bundle: ModelBundle) -> TrainingProgram:
    return TrainingProgram(bundle)


@pytest.fixture
def program(shared_program: TrainingProgram, bundle: ModelBundle) -> TrainingProgram:
    """The training program of arithmetic, as fresh as a new one."""
    shared_program.set_weights(initial_weights(bundle.manifest, seed=1))
    shared_program.reset_optimizer()
    return shared_program


@pytest.fixture(scope="session")
def small_architecture() -> Architecture:
    """Every kind of layer, and options that the default network does not use."""
    return Architecture(
        layers=(
            Conv2DSpec(name="c1", filters=3, kernel=(3, 2), padding="same", activation="relu"),
            MaxPool2DSpec(name="p1", pool=(3, 3), strides=(3, 3)),
            Conv2DSpec(name="c2", filters=4, kernel=(2, 2), use_bias=False),
            ReLUSpec(name="r"),
            MaxPool2DSpec(name="p2", pool=(3, 3), strides=(2, 2)),
            FlattenSpec(name="f"),
            DenseSpec(name="d1", units=8, use_bias=False, activation="relu"),
            DropoutSpec(name="drop", rate=0.5),
            DenseSpec(name="d2", units=3),
            SoftmaxSpec(name="s"),
        )
    )


@pytest.fixture(scope="session")
def small_bundle(small_architecture: Architecture) -> ModelBundle:
    """A model of a user's own layers, built once."""
    from tflite_models.build.artefacts import build_model

    return build_model(SMALL_LABELS, architecture=small_architecture, batch=4)


@pytest.fixture
def strokes() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Bars, dashes and crosses at random places: ``(96, 45, 45) uint8`` and classes 0 to 2, easy to tell apart."""
    rng = np.random.default_rng(5)
    images = np.zeros((96, 45, 45), np.uint8)
    labels = (np.arange(96) % 3).astype(np.int32)
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(8, 34, 2)
        if label != 1:
            image[4:41, column : column + 3] = 255
        if label != 0:
            image[row : row + 3, 4:41] = 255
    return images, labels
