"""Every block's gradient against ``tf.GradientTape``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.tflite_models.late import ON_ONE_WORKER, Late

tf: Any = Late("tensorflow")
pytestmark = ON_ONE_WORKER

INPUTS = ("random", "blank", "ink")


def sample(kind: str, shape: tuple[int, ...]) -> Any:
    """Random numbers, blank paper (every pooling window ties), or 0/1 ink (many of them tie)."""
    rng = np.random.default_rng(7)
    if kind == "blank":
        return tf.zeros(shape)
    values = rng.standard_normal(shape) if kind == "random" else rng.random(shape) < 0.3
    return tf.constant(values.astype(np.float32))


def weights(**shapes: tuple[int, ...]) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    return {
        name.replace("_", "."): tf.constant(rng.standard_normal(shape).astype(np.float32) * 0.3)
        for name, shape in shapes.items()
    }


def check(
    block: Any,
    x: Any,
    parameters: dict[str, Any],
    reference: Callable[[Any, dict[str, Any]], Any],
    *,
    input_too: bool = True,
) -> None:
    """Hold a block's output and gradients against TensorFlow's, to 1e-5 of the largest entry."""
    with tf.GradientTape() as tape:
        tape.watch([x, *parameters.values()])
        expected = reference(x, parameters)
        seed = tf.constant(np.random.default_rng(9).standard_normal(expected.shape).astype(np.float32))
        loss = tf.reduce_sum(expected * seed)
    wanted_x, wanted = tape.gradient(loss, [x, parameters])
    step = block.forward(x, parameters, {})
    gradient_x, gradients = block.backward(step.saved, seed, parameters, wants_input=input_too)
    near(step.output, expected)
    if input_too:
        near(gradient_x, wanted_x)
    assert set(gradients) == set(parameters)
    for name in parameters:
        near(gradients[name], wanted[name])


def near(found: Any, wanted: Any) -> None:
    scale = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(np.asarray(found) / scale, np.asarray(wanted) / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("relu", [False, True])
def test_dense(kind: str, relu: bool) -> None:
    """Dense, with and without ReLU."""
    from tflite_models.build.dense import Dense

    parameters = weights(d_kernel=(1, 6, 5), d_bias=(5,))

    def reference(x: Any, p: dict[str, Any]) -> Any:
        y = x @ p["d.kernel"][0] + p["d.bias"]
        return tf.nn.relu(y) if relu else y

    check(Dense("d", True, relu), sample(kind, (4, 6)), parameters, reference)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [(3, 3), (2, 4), (1, 1)])
def test_convolution(kind: str, padding: str, kernel: tuple[int, int]) -> None:
    """Convolution with odd and even filters, with and without padding."""
    from tflite_models.architecture import Conv2DSpec
    from tflite_models.build.convolution import Convolution
    from tflite_models.build.network import padding as zeros

    spec = Conv2DSpec(name="c", filters=3, kernel=kernel, padding="same" if padding == "same" else "valid")
    block = Convolution("c", kernel, zeros(spec), True, True)

    def reference(x: Any, p: dict[str, Any]) -> Any:
        return tf.nn.relu(tf.nn.conv2d(x, p["c.kernel"], 1, padding.upper()) + p["c.bias"])

    check(block, sample(kind, (2, 7, 6, 2)), weights(c_kernel=(*kernel, 2, 3), c_bias=(3,)), reference)


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize(("pool", "strides"), [((2, 2), (2, 2)), ((3, 2), (3, 2)), ((3, 3), (2, 2)), ((2, 2), (3, 3))])
def test_max_pool(kind: str, pool: tuple[int, int], strides: tuple[int, int]) -> None:
    """Pooling whose windows touch, overlap or leave gaps; ties go to the first, as in TensorFlow."""
    from tflite_models.build.pooling import MaxPool

    def reference(x: Any, p: dict[str, Any]) -> Any:
        return tf.nn.max_pool2d(x, pool, strides, "VALID")

    check(MaxPool(pool, strides), sample(kind, (2, 8, 7, 3)), {}, reference)


@pytest.mark.parametrize("kind", INPUTS)
def test_relu_and_flatten(kind: str) -> None:
    """ReLU and Flatten."""
    from tflite_models.build.dense import Flatten, ReLU

    check(ReLU(), sample(kind, (2, 3, 4, 2)), {}, lambda x, p: tf.nn.relu(x))
    check(Flatten(), sample(kind, (2, 3, 4, 2)), {}, lambda x, p: tf.reshape(x, (2, 24)))


def test_dropout_multiplies_by_its_mask_both_ways() -> None:
    """Dropout scales output and gradient by the mask, and does nothing without one."""
    from tflite_models.build.dense import Dropout

    x, mask, gradient = (sample("random", (4, 6)) * factor for factor in (1, 2, 3))
    step = Dropout("d").forward(x, {}, {"d": mask})
    near(step.output, x * mask)
    near(Dropout("d").backward(step.saved, gradient, {}, wants_input=True)[0], gradient * mask)
    assert Dropout("d").forward(x, {}, {}).output is x


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize(("side", "channels", "batch"), [(45, 1, 4), (18, 2, 6), (13, 3, 3)])
def test_pooled_pair(kind: str, side: int, channels: int, batch: int) -> None:
    """The fast front equals two convolutions and poolings: even and odd sizes, channels, batches of several blocks."""
    from tflite_models.build.pooled_pair import PooledPair

    parameters = weights(a_kernel=(3, 3, channels, 4), a_bias=(4,), b_kernel=(3, 3, 4, 5), b_bias=(5,))

    def reference(x: Any, p: dict[str, Any]) -> Any:
        for name in "ab":
            x = tf.nn.relu(tf.nn.conv2d(x, p[f"{name}.kernel"], 1, "VALID") + p[f"{name}.bias"])
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        return x

    out = (((side - 2) // 2) - 2) // 2
    block = PooledPair("a", "b", out, out, block=2)
    check(block, sample(kind, (batch, side, side, channels)), parameters, reference, input_too=False)


def test_cross_entropy_weighs_samples() -> None:
    """Loss and gradient are those of the weighted mean; padding of weight 0 counts for nothing."""
    from tflite_models.build.network import cross_entropy

    logits = sample("random", (5, 3)) * 5
    y = tf.constant([0, 2, 1, 1, 0])
    weight = tf.constant([1.0, 0.5, 0.0, 2.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
        loss = tf.reduce_sum(each * weight) / tf.reduce_sum(weight)
    found = cross_entropy(logits, y, weight)
    near(found.loss, [loss])
    near(found.gradient, tape.gradient(loss, logits))
    hits = np.argmax(logits, axis=1) == y.numpy()
    near(found.correct, [(hits * weight.numpy()).sum()])


def test_batch_of_no_weight_is_finite() -> None:
    """Where every weight is 0, loss and gradient are 0 and not NaN."""
    from tflite_models.build.network import cross_entropy

    found = cross_entropy(sample("random", (4, 3)), tf.zeros(4, tf.int32), tf.zeros(4))
    assert float(found.loss[0]) == 0
    assert not np.asarray(found.gradient).any()
