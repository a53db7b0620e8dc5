"""From a Keras ``Sequential`` to an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from shared.errors import ModelError
from tflite_models.architecture import (
    SUPPORTED_LAYERS,
    Activation,
    Architecture,
    Conv2DSpec,
    DenseSpec,
    DropoutSpec,
    FlattenSpec,
    LayerSpec,
    MaxPool2DSpec,
    ReLUSpec,
    SoftmaxSpec,
)

_ACTIVATIONS: tuple[Activation, ...] = ("linear", "relu", "softmax")


def load_keras(path: Path) -> Architecture:
    """Read the architecture of a model that Keras saved; its weights are left behind.

    Args:
        path: a ``.keras`` file.

    Raises:
        ModelError: the file is missing or no Keras model, or has a layer that is not supported.
    """
    if not path.is_file():
        raise ModelError(f"no Keras model at {path}; give a .keras file")
    try:
        model = tf.keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever the file makes it trip over
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path} is no Keras model that can be read: {first[:200]}") from None
    return from_keras(model)


def from_keras(model: Any) -> Architecture:
    """Describe a built Keras ``Sequential``.

    Raises:
        ModelError: it is no ``Sequential``, has no input shape, or has a layer or an option of a layer that is not
            supported; the message names it, and what is.
    """
    if not isinstance(model, tf.keras.Sequential):
        raise ModelError(f"expected a Keras Sequential, got {type(model).__name__}; a plain sequence of layers works")
    if not model.built:
        raise ModelError("the Keras model has no input shape; begin it with keras.Input((45, 45, 1))")
    shape = tuple(model.input_shape[1:])
    if len(shape) != 3 or any(extent is None for extent in shape):
        raise ModelError(f"expected an input of (rows, columns, channels), got {shape}")
    layers = tuple(_layer(layer) for layer in model.layers if type(layer).__name__ != "InputLayer")
    return Architecture(input_shape=(int(shape[0]), int(shape[1]), int(shape[2])), layers=layers)


def _layer(layer: Any) -> LayerSpec:
    kind = type(layer).__name__
    name = layer.name
    if kind == "Conv2D":
        _require(layer, strides=(1, 1), dilation_rate=(1, 1), groups=1, data_format="channels_last")
        return Conv2DSpec(
            name=name,
            filters=layer.filters,
            kernel=tuple(layer.kernel_size),
            padding=layer.padding,
            use_bias=layer.use_bias,
            activation=_activation(layer),
        )
    if kind == "MaxPooling2D":
        _require(layer, padding="valid", data_format="channels_last")
        return MaxPool2DSpec(name=name, pool=tuple(layer.pool_size), strides=tuple(layer.strides))
    if kind == "Flatten":
        return FlattenSpec(name=name)
    if kind == "Dense":
        return DenseSpec(name=name, units=layer.units, use_bias=layer.use_bias, activation=_activation(layer))
    if kind == "Dropout":
        return DropoutSpec(name=name, rate=float(layer.rate))
    if kind == "ReLU":
        _require(layer, max_value=None, negative_slope=0.0, threshold=0.0)
        return ReLUSpec(name=name)
    if kind == "Softmax":
        _require(layer, axis=-1)
        return SoftmaxSpec(name=name)
    if kind == "Activation":
        activation = _activation(layer)
        if activation == "linear":
            raise ModelError(f"layer {name!r} does nothing; leave it out")
        return ReLUSpec(name=name) if activation == "relu" else SoftmaxSpec(name=name)
    raise ModelError(f"layer {name!r} ({kind}) is not supported; use {SUPPORTED_LAYERS}")


def _activation(layer: Any) -> Activation:
    name = getattr(layer.activation, "__name__", str(layer.activation))
    for known in _ACTIVATIONS:
        if name == known:
            return known
    raise ModelError(f"layer {layer.name!r}: activation {name!r} is not supported; use {', '.join(_ACTIVATIONS)}")


def _require(layer: Any, **options: Any) -> None:
    for option, wanted in options.items():
        found = getattr(layer, option)
        if isinstance(found, list):
            found = tuple(found)
        if found != wanted:
            label = f"layer {layer.name!r} ({type(layer).__name__})"
            raise ModelError(f"{label}: {option}={found} is not supported; use {option}={wanted}")
