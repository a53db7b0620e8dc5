"""The frozen reader: the network with its weights as constants, for reading.

With constant weights XNNPACK packs them once and fuses bias and activation, so that one picture takes a fraction of
the time that it takes in the training program. The weights in the file are zeros; the device writes its own over
them (``tflite_models.runtime.reader``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared.errors import ModelError
from tflite_models.architecture import (
    Architecture,
    Conv2DSpec,
    DenseSpec,
    FlattenSpec,
    MaxPool2DSpec,
    ReLUSpec,
)
from tflite_models.build.block import Tensor
from tflite_models.build.convert import convert
from tflite_models.manifest import ConstantSpec

READER_BATCHES = (1, 32)
_AXES: dict[int, tuple[tuple[int, ...], ...]] = {1: ((0,),), 2: ((0, 1), (1, 0)), 4: ((3, 0, 1, 2), (0, 1, 2, 3))}


def build_reader(architecture: Architecture, *, name: str) -> tuple[bytes, tuple[ConstantSpec, ...]]:
    """Build the reader and find where each parameter lies in it.

    Returns:
        The file with zeros for weights, and the place of every parameter.

    Raises:
        ModelError: the converter folded a parameter away, so that it has no place.
    """
    generator = np.random.default_rng(0)
    marks = {
        spec.name: generator.uniform(0.5, 1.5, spec.shape).astype(np.float32) for spec in architecture.parameters()
    }
    module = tf.Module(name="reader")
    data = bytearray(convert(module, _functions(architecture, marks), name=name))
    places = tuple(_locate(parameter, marks[parameter], data) for parameter in marks)
    for place in places:
        size = marks[place.parameter].nbytes
        data[place.offset_bytes : place.offset_bytes + size] = bytes(size)
    return bytes(data), places


def _functions(architecture: Architecture, weights: dict[str, NDArray[np.float32]]) -> dict[str, Any]:
    def function(batch: int) -> Any:
        def read(x: Tensor) -> dict[str, Tensor]:
            logits = _logits(architecture, weights, x)
            return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

        spec = tf.TensorSpec((batch, *architecture.input_shape), tf.float32, name="x")
        return tf.function(read, input_signature=[spec], autograph=False)

    return {f"read_{batch}": function(batch) for batch in READER_BATCHES}


def _logits(architecture: Architecture, weights: dict[str, NDArray[np.float32]], x: Tensor) -> Tensor:
    for layer in architecture.layers:
        if isinstance(layer, Conv2DSpec | DenseSpec):
            kernel = tf.constant(weights[f"{layer.name}.kernel"])
            if isinstance(layer, DenseSpec):
                x = tf.matmul(x, kernel)
            else:
                x = tf.nn.conv2d(x, kernel, 1, layer.padding.upper())
            if layer.use_bias:
                x = tf.nn.bias_add(x, tf.constant(weights[f"{layer.name}.bias"]))
        elif isinstance(layer, MaxPool2DSpec):
            x = tf.nn.max_pool2d(x, layer.pool, layer.strides, "VALID")
        elif isinstance(layer, FlattenSpec):
            x = tf.reshape(x, (x.shape[0], -1))
        activation = getattr(layer, "activation", "linear")
        if isinstance(layer, ReLUSpec) or activation == "relu":
            x = tf.nn.relu(x)
    return x


def _locate(parameter: str, mark: NDArray[np.float32], data: bytearray) -> ConstantSpec:
    for axes in _AXES[mark.ndim]:
        needle = np.ascontiguousarray(mark.transpose(axes)).tobytes()
        offset = data.find(needle)
        if offset >= 0:
            if data.find(needle, offset + 1) >= 0:
                raise ModelError(f"the reader holds {parameter!r} more than once; its layout is not understood")
            return ConstantSpec(parameter=parameter, offset_bytes=offset, axes=axes)
    raise ModelError(f"the converter folded {parameter!r} away, so that it cannot be replaced; change that layer")
