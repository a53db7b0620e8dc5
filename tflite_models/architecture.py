"""The shape of a network: its layers in order, and what follows from them (sizes, parameters, dropout masks).

Only networks that are a plain sequence of layers are described, from one picture to one probability per class. The
description is data: it is written into a model's manifest, and a person can read it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import ModelError
from shared.sample import SIDE

Activation = Literal["linear", "relu", "softmax"]
Shape = tuple[int, ...]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conv2DSpec(_Spec):
    """A convolution with stride 1 (a cross-correlation, as in every framework), then a bias and an activation.

    Attributes:
        filters: output channels.
        kernel: rows and columns of the filter.
        padding: ``valid`` drops the border, ``same`` pads with zeros as TensorFlow does.
    """

    kind: Literal["conv2d"] = "conv2d"
    name: str
    filters: int = Field(ge=1)
    kernel: tuple[int, int] = (3, 3)
    padding: Literal["valid", "same"] = "valid"
    use_bias: bool = True
    activation: Activation = "linear"


class MaxPool2DSpec(_Spec):
    """The largest value of each window; rows and columns that fill no whole window are dropped.

    Attributes:
        pool: rows and columns of the window.
        strides: rows and columns from one window to the next.
    """

    kind: Literal["max_pool2d"] = "max_pool2d"
    name: str
    pool: tuple[int, int] = (2, 2)
    strides: tuple[int, int] = (2, 2)


class FlattenSpec(_Spec):
    """Turns ``(rows, columns, channels)`` into one row of features."""

    kind: Literal["flatten"] = "flatten"
    name: str


class DenseSpec(_Spec):
    """A matrix product, then a bias and an activation."""

    kind: Literal["dense"] = "dense"
    name: str
    units: int = Field(ge=1)
    use_bias: bool = True
    activation: Activation = "linear"


class DropoutSpec(_Spec):
    """Zeroes a share of the features while training, and scales the others by ``1 / (1 - rate)``."""

    kind: Literal["dropout"] = "dropout"
    name: str
    rate: float = Field(ge=0, lt=1)


class ReLUSpec(_Spec):
    """The positive part."""

    kind: Literal["relu"] = "relu"
    name: str


class SoftmaxSpec(_Spec):
    """Probabilities over the classes; it may only be the last layer."""

    kind: Literal["softmax"] = "softmax"
    name: str


LayerSpec = Annotated[
    Conv2DSpec | MaxPool2DSpec | FlattenSpec | DenseSpec | DropoutSpec | ReLUSpec | SoftmaxSpec,
    Field(discriminator="kind"),
]
SUPPORTED_LAYERS = "Conv2D (stride 1), MaxPool2D, Flatten, Dense, Dropout, ReLU, Softmax"


class ParameterSpec(_Spec):
    """One trained tensor.

    Attributes:
        name: ``layer.kernel`` or ``layer.bias``.
        shape: in the layout of Keras: ``(rows, columns, in, out)`` or ``(in, out)``; a bias is ``(out,)``.
    """

    name: str
    shape: Shape
    dtype: Literal["float32"] = "float32"

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


class MaskSpec(_Spec):
    """One input that carries a dropout mask: 0 where a feature is dropped, ``1 / (1 - rate)`` elsewhere.

    Attributes:
        name: the layer's name.
        shape: with the batch first.
    """

    name: str
    shape: Shape
    rate: float


class Architecture(_Spec):
    """A sequence of layers on one input.

    Attributes:
        input_shape: rows, columns and channels of a picture.
        layers: from the picture to the probabilities.
    """

    input_shape: tuple[int, int, int] = (SIDE, SIDE, 1)
    layers: tuple[LayerSpec, ...]

    def outputs(self) -> Iterator[tuple[LayerSpec, Shape, Shape]]:
        """Yield each layer with the shapes of its input and output, without the batch.

        Raises:
            ModelError: a layer cannot follow the one before it; the message names the layer.
        """
        shape: Shape = self.input_shape
        for layer in self.layers:
            out = _output_shape(layer, shape)
            yield layer, shape, out
            shape = out

    def parameters(self) -> tuple[ParameterSpec, ...]:
        """List the trained tensors in the order in which every set of weights holds them."""
        specs: list[ParameterSpec] = []
        for layer, shape, _ in self.outputs():
            if isinstance(layer, Conv2DSpec):
                specs.append(ParameterSpec(name=f"{layer.name}.kernel", shape=(*layer.kernel, shape[2], layer.filters)))
                width = layer.filters
            elif isinstance(layer, DenseSpec):
                specs.append(ParameterSpec(name=f"{layer.name}.kernel", shape=(shape[0], layer.units)))
                width = layer.units
            else:
                continue
            if layer.use_bias:
                specs.append(ParameterSpec(name=f"{layer.name}.bias", shape=(width,)))
        return tuple(specs)

    def masks(self, *, batch: int) -> tuple[MaskSpec, ...]:
        """List the dropout masks that one training step takes; a rate of 0 takes none."""
        return tuple(
            MaskSpec(name=layer.name, shape=(batch, *out), rate=layer.rate)
            for layer, _, out in self.outputs()
            if isinstance(layer, DropoutSpec) and layer.rate > 0
        )

    def check(self, *, classes: int) -> None:
        """Make sure that the network ends in one probability per class.

        Raises:
            ModelError: it does not, or a layer cannot follow the one before it, or two layers share a name.
        """
        shape: Shape = self.input_shape
        names: set[str] = set()
        for layer, _, out in self.outputs():
            if layer.name in names:
                raise ModelError(f"two layers are called {layer.name!r}; give each a name of its own")
            names.add(layer.name)
            shape = out
        if shape != (classes,):
            raise ModelError(f"expected {classes} outputs, one per label, got shape {shape}; change the last layer")
        for index, layer in enumerate(self.layers):
            softmax = isinstance(layer, SoftmaxSpec) or getattr(layer, "activation", "") == "softmax"
            last = index == len(self.layers) - 1
            if softmax and not last:
                raise ModelError(f"layer {layer.name!r} is a softmax before the end; only the last layer may be one")
            if last and not softmax:
                raise ModelError(f"the last layer {layer.name!r} is no softmax; end with activation='softmax'")


def default_architecture(classes: int) -> Architecture:
    """Describe the network that Inkfleet ships: two convolutions with pooling, two dense layers with dropout.

    Args:
        classes: how many labels it tells apart.
    """
    return Architecture(
        layers=(
            Conv2DSpec(name="conv1", filters=32, activation="relu"),
            MaxPool2DSpec(name="pool1"),
            Conv2DSpec(name="conv2", filters=32, activation="relu"),
            MaxPool2DSpec(name="pool2"),
            FlattenSpec(name="flatten"),
            DenseSpec(name="dense1", units=128, activation="relu"),
            DropoutSpec(name="dropout1", rate=0.25),
            DenseSpec(name="dense2", units=128, activation="relu"),
            DropoutSpec(name="dropout2", rate=0.25),
            DenseSpec(name="classes", units=classes, activation="softmax"),
        )
    )


def _output_shape(layer: LayerSpec, shape: Shape) -> Shape:
    if isinstance(layer, Conv2DSpec | MaxPool2DSpec):
        if len(shape) != 3:
            raise ModelError(f"layer {layer.name!r} needs (rows, columns, channels), got shape {shape}")
        if isinstance(layer, Conv2DSpec):
            if layer.padding == "same":
                return (shape[0], shape[1], layer.filters)
            rows, columns = (shape[axis] - layer.kernel[axis] + 1 for axis in (0, 1))
            channels = layer.filters
        else:
            rows, columns = ((shape[axis] - layer.pool[axis]) // layer.strides[axis] + 1 for axis in (0, 1))
            channels = shape[2]
        if rows < 1 or columns < 1:
            raise ModelError(f"layer {layer.name!r} leaves nothing of its input of shape {shape}")
        return (rows, columns, channels)
    if isinstance(layer, FlattenSpec):
        size = 1
        for extent in shape:
            size *= extent
        return (size,)
    if isinstance(layer, DenseSpec):
        if len(shape) != 1:
            raise ModelError(f"layer {layer.name!r} needs one row of features, got shape {shape}; add a Flatten")
        return (layer.units,)
    return shape
