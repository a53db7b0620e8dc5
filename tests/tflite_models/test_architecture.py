"""Layers, and what follows from them."""

from __future__ import annotations

import pytest

from shared.errors import ModelError
from tflite_models.architecture import (
    Architecture,
    Conv2DSpec,
    DenseSpec,
    FlattenSpec,
    LayerSpec,
    MaxPool2DSpec,
    SoftmaxSpec,
    default_architecture,
)


def test_default_network_has_the_sizes_of_the_design() -> None:
    """The network that ships has about 360,000 parameters, in the order of its layers."""
    network = default_architecture(17)
    network.check(classes=17)
    shapes = [out for _, _, out in network.outputs()]
    assert shapes[:5] == [(43, 43, 32), (21, 21, 32), (19, 19, 32), (9, 9, 32), (2592,)]
    assert [spec.name for spec in network.parameters()][:3] == ["conv1.kernel", "conv1.bias", "conv2.kernel"]
    assert sum(spec.size for spec in network.parameters()) == 360_177
    assert [(mask.name, mask.shape, mask.rate) for mask in network.masks(batch=32)] == [
        ("dropout1", (32, 128), 0.25),
        ("dropout2", (32, 128), 0.25),
    ]


END = DenseSpec(name="end", units=3, activation="softmax")


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ((FlattenSpec(name="f"), DenseSpec(name="d", units=3)), "'d' is no softmax"),
        ((FlattenSpec(name="f"), DenseSpec(name="d", units=4, activation="softmax")), "expected 3 outputs"),
        ((FlattenSpec(name="f"), SoftmaxSpec(name="early"), END), "'early' is a softmax before the end"),
        ((DenseSpec(name="d", units=3, activation="softmax"),), "'d' needs one row of features"),
        ((FlattenSpec(name="f"), MaxPool2DSpec(name="p"), END), r"'p' needs \(rows, columns, channels\)"),
        ((Conv2DSpec(name="c", filters=1, kernel=(50, 3)), FlattenSpec(name="f"), END), "'c' leaves nothing"),
        ((FlattenSpec(name="f"), DenseSpec(name="f", units=5), END), "two layers are called 'f'"),
    ],
)
def test_layers_that_do_not_fit_are_named(layers: tuple[LayerSpec, ...], says: str) -> None:
    """A network that cannot work is refused in one line that names the layer."""
    with pytest.raises(ModelError, match=says):
        Architecture(layers=layers).check(classes=3)
