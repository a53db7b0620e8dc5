"""Keras models that users bring."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.errors import ModelError
from tests.tflite_models.late import ON_ONE_WORKER, Late
from tflite_models.architecture import Architecture, default_architecture

tf: Any = Late("tensorflow")
pytestmark = ON_ONE_WORKER


def from_keras(*layers: Any) -> Architecture:
    from tflite_models.build.keras_import import from_keras as read

    return read(tf.keras.Sequential([tf.keras.Input((45, 45, 1)), *layers]))


def test_the_default_network_in_keras_is_the_default_network() -> None:
    """The design's network, written in Keras, is read as what ships."""
    layers = tf.keras.layers
    found = from_keras(
        layers.Conv2D(32, 3, activation="relu", name="conv1"),
        layers.MaxPooling2D(name="pool1"),
        layers.Conv2D(32, 3, activation="relu", name="conv2"),
        layers.MaxPooling2D(name="pool2"),
        layers.Flatten(name="flatten"),
        layers.Dense(128, activation="relu", name="dense1"),
        layers.Dropout(0.25, name="dropout1"),
        layers.Dense(128, activation="relu", name="dense2"),
        layers.Dropout(0.25, name="dropout2"),
        layers.Dense(17, activation="softmax", name="classes"),
    )
    assert found == default_architecture(17)


def test_activations_as_layers_are_read() -> None:
    """ReLU, Softmax and Activation layers are the same as activation arguments."""
    layers = tf.keras.layers
    found = from_keras(
        layers.Conv2D(2, (3, 1), padding="same", use_bias=False),
        layers.ReLU(),
        layers.MaxPooling2D((3, 2), strides=(1, 2)),
        layers.Flatten(),
        layers.Dense(4),
        layers.Activation("relu"),
        layers.Dense(3),
        layers.Softmax(),
    )
    found.check(classes=3)
    assert [layer.kind for layer in found.layers] == [
        "conv2d", "relu", "max_pool2d", "flatten", "dense", "relu", "dense", "softmax",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda k: k.BatchNormalization(name="norm"), r"'norm' \(BatchNormalization\) is not supported; use Conv2D"),
        (lambda k: k.Conv2D(2, 3, strides=2, name="far"), r"'far' \(Conv2D\): strides=\(2, 2\) is not supported"),
        (lambda k: k.Conv2D(2, 3, activation="gelu", name="g"), "'g': activation 'gelu' is not supported; use linear"),
        (lambda k: k.MaxPooling2D(padding="same", name="p"), r"'p' \(MaxPooling2D\): padding=same is not supported"),
        (lambda k: k.ReLU(max_value=6.0, name="six"), r"'six' \(ReLU\): max_value=6\.0 is not supported"),
    ],
)
def test_what_is_not_supported_is_named(make: Any, says: str) -> None:
    """An unsupported layer, or option of one, is named, with what is supported."""
    with pytest.raises(ModelError, match=says):
        from_keras(make(tf.keras.layers))


def test_only_a_sequential_with_an_input_shape_is_read() -> None:
    """A functional model, or one whose shapes nobody knows, is refused."""
    from tflite_models.build.keras_import import from_keras as read

    inputs = tf.keras.Input((45, 45, 1))
    with pytest.raises(ModelError, match="expected a Keras Sequential, got Functional"):
        read(tf.keras.Model(inputs, tf.keras.layers.Flatten()(inputs)))
    with pytest.raises(ModelError, match="has no input shape"):
        read(tf.keras.Sequential([tf.keras.layers.Flatten()]))


# Keras 3.14 saves through a conversion that NumPy 2 has deprecated.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_saved_model_is_read_and_other_files_are_refused(tmp_path: Path) -> None:
    """A .keras file is read; a missing file or one of something else is named."""
    from tflite_models.build.keras_import import load_keras

    model = tf.keras.Sequential(
        [tf.keras.Input((45, 45, 1)), tf.keras.layers.Flatten(), tf.keras.layers.Dense(3, activation="softmax")]
    )
    model.save(tmp_path / "m.keras")
    load_keras(tmp_path / "m.keras").check(classes=3)
    (tmp_path / "bad.keras").write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"bad\.keras is no Keras model"):
        load_keras(tmp_path / "bad.keras")
    with pytest.raises(ModelError, match=r"no Keras model at .*none\.keras"):
        load_keras(tmp_path / "none.keras")
