"""The training program in LiteRT against TensorFlow: gradients, optimizers, clipping, the FedProx term, masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import ModelError
from tests.tflite_models.late import ON_ONE_WORKER, Late
from tflite_models.bundle import ModelBundle
from tflite_models.manifest import Manifest
from tflite_models.runtime.hyper import TrainHyper
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.training import draw_masks
from tflite_models.runtime.weights import Weights, initial_weights

tf: Any = Late("tensorflow")
pytestmark = ON_ONE_WORKER

PLAIN = TrainHyper(lr=1.0, momentum=0.0)
Batch = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]


def batch_of(kind: str, manifest: Manifest) -> Batch:
    """Noise, blank paper, thin ink, or ink with the last third as padding of weight 0."""
    rng = np.random.default_rng(11)
    shape = (manifest.batch, *manifest.input_shape)
    x = {
        "noise": rng.random(shape, np.float32),
        "blank": np.zeros(shape, np.float32),
        "ink": (rng.random(shape) < 0.1).astype(np.float32),
    }.get(kind)
    weight = np.ones(manifest.batch, np.float32)
    if x is None:
        x = (rng.random(shape) < 0.1).astype(np.float32)
        weight[-(manifest.batch // 3) :] = 0
    return x, rng.integers(0, len(manifest.labels), manifest.batch).astype(np.int32), weight


def biased(manifest: Manifest) -> Weights:
    """Weights with biases that are not 0, so that blank paper has a gradient."""
    weights = initial_weights(manifest, seed=1)
    rng = np.random.default_rng(2)
    for name in weights:
        if name.endswith("bias"):
            weights[name] = (rng.random(weights[name].shape) * 0.2).astype(np.float32)
    return weights


def keep_all(manifest: Manifest) -> dict[str, NDArray[np.float32]]:
    return {mask.name: np.ones(mask.shape, np.float32) for mask in manifest.masks}


def reference(
    manifest: Manifest, weights: Weights, batch: Batch, masks: dict[str, Any]
) -> tuple[float, dict[str, NDArray[np.float32]]]:
    """The loss and its gradient by ``tf.GradientTape`` on TensorFlow's own ops."""
    variables = {name: tf.constant(value) for name, value in weights.items()}
    x, y, weight = batch
    with tf.GradientTape() as tape:
        tape.watch(variables)
        h = tf.constant(x)
        for layer in manifest.layers:
            if layer.kind in ("conv2d", "dense"):
                kernel = variables[f"{layer.name}.kernel"]
                h = tf.nn.conv2d(h, kernel, 1, layer.padding.upper()) if layer.kind == "conv2d" else h @ kernel
                if layer.use_bias:
                    h = h + variables[f"{layer.name}.bias"]
            elif layer.kind == "max_pool2d":
                h = tf.nn.max_pool2d(h, layer.pool, layer.strides, "VALID")
            elif layer.kind == "flatten":
                h = tf.reshape(h, (len(x), -1))
            elif layer.kind == "dropout":
                h = h * masks[layer.name]
            if layer.kind == "relu" or getattr(layer, "activation", "") == "relu":
                h = tf.nn.relu(h)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, h)
        loss = tf.reduce_sum(each * weight) / tf.reduce_sum(weight)
    gradients = tape.gradient(loss, variables)
    return float(loss), {name: gradients[name].numpy() for name in weights}


def norm(tensors: dict[str, NDArray[np.float32]]) -> float:
    return float(np.sqrt(sum(float((value.astype(np.float64) ** 2).sum()) for value in tensors.values())))


def near(found: dict[str, Any], wanted: dict[str, Any], *, tolerance: float = 1e-5) -> None:
    """Every tensor to a tolerance relative to its largest entry."""
    for name, value in wanted.items():
        scale = np.abs(value).max() + 1e-8
        np.testing.assert_allclose(found[name] / scale, value / scale, atol=tolerance, rtol=0, err_msg=name)


def gradient_of(
    program: TrainingProgram, weights: Weights, batch: Batch, masks: dict[str, Any], *, clip_norm: float = 0.0
) -> Any:
    """Read the gradient out of a step of descent, so large that the weights it starts from hardly round it."""
    program.set_weights(weights)
    program.reset_optimizer()
    rate = 4096.0
    hyper = TrainHyper(lr=rate, momentum=0.0, clip_norm=clip_norm)
    result = program.train_batch(*batch, hyper=hyper, masks=masks)
    after = program.get_weights()
    return result, {name: (weights[name].astype(np.float64) - after[name]) / rate for name in weights}


@pytest.mark.parametrize("clip_norm", [0.0, 1e6], ids=["plain", "guarded"])
@pytest.mark.parametrize("kind", ["noise", "blank", "ink", "partial"])
def test_gradient_of_the_whole_network(program: TrainingProgram, kind: str, clip_norm: float) -> None:
    """The network that ships has TensorFlow's gradient: on noise, on blank paper (ties), on ink, and when padded."""
    manifest, weights = program.manifest, biased(program.manifest)
    batch, masks = batch_of(kind, manifest), draw_masks(manifest, rng=np.random.default_rng(3))
    loss, wanted = reference(manifest, weights, batch, masks)
    result, found = gradient_of(program, weights, batch, masks, clip_norm=clip_norm)
    assert result.loss == pytest.approx(loss, abs=2e-6)
    near(found, wanted)


@pytest.mark.parametrize("kind", ["noise", "blank", "partial"])
def test_gradient_of_a_users_network(small_bundle: ModelBundle, kind: str) -> None:
    """A network of other layers (same padding, overlapping pools, no bias) has TensorFlow's gradient too."""
    manifest, weights = small_bundle.manifest, biased(small_bundle.manifest)
    batch, masks = batch_of(kind, manifest), draw_masks(manifest, rng=np.random.default_rng(3))
    loss, wanted = reference(manifest, weights, batch, masks)
    result, found = gradient_of(TrainingProgram(small_bundle), weights, batch, masks)
    assert result.loss == pytest.approx(loss, abs=2e-6)
    near(found, wanted)


def test_padding_counts_for_nothing(program: TrainingProgram) -> None:
    """Whatever lies in the places of weight 0, the step is the same bit for bit."""
    manifest = program.manifest
    x, y, weight = batch_of("partial", manifest)
    masks = keep_all(manifest)
    stray = x.copy()
    stray[weight == 0] = 0.7
    first, one = gradient_of(program, biased(manifest), (x, y, weight), masks)
    second, other = gradient_of(program, biased(manifest), (stray, y, weight), masks)
    assert (first.loss, first.correct) == (second.loss, second.correct)
    near(one, other, tolerance=1e-6)


@pytest.mark.parametrize(("optimizer", "clip_norm"), [("sgd", 0.0), ("sgd", 1e6), ("adam", 0.0)])
def test_batch_of_no_weight_changes_nothing(program: TrainingProgram, optimizer: Any, clip_norm: float) -> None:
    """A batch of padding alone leaves weights and optimizer as they were, even with momentum under way."""
    manifest = program.manifest
    hyper, masks = TrainHyper(optimizer=optimizer, lr=0.01, clip_norm=clip_norm), keep_all(manifest)
    x, y, weight = batch_of("ink", manifest)

    def run(*, padding: bool) -> Weights:
        program.set_weights(biased(manifest))
        program.reset_optimizer()
        if padding:
            result = program.train_batch(x, y, np.zeros_like(weight), hyper=hyper, masks=masks)
            assert (result.loss, result.correct) == (0, 0)
        program.train_batch(x, y, weight, hyper=hyper, masks=masks)
        before = program.get_weights()
        if padding:
            program.train_batch(x, y, np.zeros_like(weight), hyper=hyper, masks=masks)
            assert all(np.array_equal(before[name], value) for name, value in program.get_weights().items())
        program.train_batch(x, y, weight, hyper=hyper, masks=masks)
        return program.get_weights()

    plain, padded = run(padding=False), run(padding=True)
    assert all(np.array_equal(plain[name], padded[name]) for name in plain)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_optimizers_equal_those_of_keras(program: TrainingProgram, optimizer: Any) -> None:
    """Four steps, the learning rate halved on the way, give what Keras's optimizer gives on the same gradients."""
    manifest = program.manifest
    weights = biased(manifest)
    batch, masks = batch_of("ink", manifest), keep_all(manifest)
    rates = (0.02, 0.02, 0.01, 0.01)
    keras = tf.keras.optimizers.SGD(0.0, momentum=0.9) if optimizer == "sgd" else tf.keras.optimizers.Adam(0.0)
    variables = [tf.Variable(value) for value in weights.values()]
    program.set_weights(weights)
    for rate in rates:
        now = dict(zip(weights, (variable.numpy() for variable in variables), strict=True))
        _, gradients = reference(manifest, now, batch, masks)
        keras.learning_rate = rate
        keras.apply_gradients(zip([tf.constant(gradients[name]) for name in weights], variables, strict=True))
        hyper = TrainHyper(optimizer=optimizer, lr=rate, momentum=0.9)
        program.train_batch(*batch, hyper=hyper, masks=masks)
    found = program.get_weights()
    for name, variable in zip(weights, variables, strict=True):
        moved = np.abs(variable.numpy() - weights[name]).max()
        # Adam divides by the root of the square: a gradient of rounding errors alone still moves by the rate.
        far = np.abs(found[name] - variable.numpy()) > 1e-3 * moved
        assert far.mean() <= (0 if optimizer == "sgd" else 0.002), name


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_clipping_limits_the_global_norm(program: TrainingProgram, optimizer: Any) -> None:
    """A gradient longer than the limit is scaled to it as a whole; a shorter one, or a limit of 0, is left alone."""
    manifest, weights = program.manifest, biased(program.manifest)
    batch, masks = batch_of("ink", manifest), keep_all(manifest)
    _, wanted = reference(manifest, weights, batch, masks)
    length = norm(wanted)
    for limit, factor in ((length / 4, 0.25), (length * 4, 1.0), (0.0, 1.0)):
        program.set_weights(weights)
        program.reset_optimizer()
        hyper = TrainHyper(optimizer=optimizer, lr=1.0, momentum=0.0, clip_norm=limit)
        program.train_batch(*batch, hyper=hyper, masks=masks)
        after = program.get_weights()
        found = {name: weights[name] - after[name] for name in weights}
        if optimizer == "sgd":
            assert norm(found) == pytest.approx(length * factor, rel=1e-4)
            near(found, {name: value * factor for name, value in wanted.items()}, tolerance=1e-3)
        else:  # Adam's first step has the rate's size whatever the gradient's
            assert norm(found) > length


def test_proximal_term_pulls_towards_the_weights_that_were_set(program: TrainingProgram) -> None:
    """With μ the gradient gains μ (w − w_global); at the first step that is nothing, at the second it is."""
    manifest, weights = program.manifest, biased(program.manifest)
    batch, masks = batch_of("ink", manifest), keep_all(manifest)
    rate, mu = 0.05, 0.5
    program.set_weights(weights)
    hyper = TrainHyper(lr=rate, momentum=0.0, prox_mu=mu)
    program.train_batch(*batch, hyper=hyper, masks=masks)
    first = program.get_weights()
    _, gradient = reference(manifest, weights, batch, masks)
    near({n: weights[n] - first[n] for n in weights}, {n: rate * g for n, g in gradient.items()}, tolerance=1e-3)
    program.train_batch(*batch, hyper=hyper, masks=masks)
    second = program.get_weights()
    _, gradient = reference(manifest, first, batch, masks)
    pull = {name: mu * (first[name] - weights[name]) for name in weights}
    wanted = {name: rate * (gradient[name] + pull[name]) for name in weights}
    near({name: first[name] - second[name] for name in weights}, wanted, tolerance=1e-3)
    assert norm(pull) > 0.01 * norm(gradient)


def test_same_steps_give_the_same_weights_bit_for_bit(bundle: ModelBundle, program: TrainingProgram) -> None:
    """With one thread, two interpreters that do the same steps end in the same bits."""
    batch = batch_of("ink", bundle.manifest)
    ends = []
    for each in (program, TrainingProgram(bundle)):
        each.set_weights(biased(bundle.manifest))
        each.reset_optimizer()
        rng = np.random.default_rng(4)
        for _ in range(3):
            each.train_batch(*batch, hyper=TrainHyper(), masks=draw_masks(bundle.manifest, rng=rng))
        ends.append(each.get_weights())
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_weights_go_in_and_come_out_unchanged(program: TrainingProgram) -> None:
    """What set_weights takes, get_weights gives, in the manifest's order."""
    weights = biased(program.manifest)
    program.set_weights(weights)
    found = program.get_weights()
    assert list(found) == list(weights)
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


def test_reset_forgets_the_momentum(program: TrainingProgram) -> None:
    """After a reset, a step is what it is from fresh."""
    manifest, weights = program.manifest, biased(program.manifest)
    batch, masks = batch_of("ink", manifest), keep_all(manifest)
    ends = []
    for _ in range(2):
        program.set_weights(weights)
        program.reset_optimizer()
        program.train_batch(*batch, hyper=TrainHyper(), masks=masks)
        ends.append(program.get_weights())
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in weights)


def test_evaluation_changes_nothing_and_counts(program: TrainingProgram) -> None:
    """Evaluation gives loss, weighted count and predictions, and leaves the weights alone."""
    manifest, weights = program.manifest, biased(program.manifest)
    program.set_weights(weights)
    x, y, weight = batch_of("partial", manifest)
    result = program.evaluate_batch(x, y, weight)
    loss, _ = reference(manifest, weights, (x, y, weight), keep_all(manifest))
    assert result.loss == pytest.approx(loss, abs=2e-6)
    assert result.predicted is not None
    assert result.correct == ((result.predicted == y) * weight).sum()
    assert all(np.array_equal(value, weights[name]) for name, value in program.get_weights().items())


def test_program_without_weights_says_so(bundle: ModelBundle) -> None:
    """A program that was given no weights refuses to work instead of giving garbage."""
    fresh, batch = TrainingProgram(bundle), batch_of("ink", bundle.manifest)
    for use in (
        fresh.get_weights,
        lambda: fresh.evaluate_batch(*batch),
        lambda: fresh.train_batch(*batch, hyper=PLAIN, masks=keep_all(bundle.manifest)),
    ):
        with pytest.raises(ModelError, match="has no weights yet; call set_weights first"):
            use()


def test_arrays_of_another_shape_are_refused(program: TrainingProgram) -> None:
    """A batch of another size, a float label or a missing mask is named before LiteRT sees it."""
    x, y, weight = batch_of("ink", program.manifest)
    masks = keep_all(program.manifest)
    with pytest.raises(ModelError, match=r"x: expected float32 of shape \(32, 45, 45, 1\), got float32 of .*\(8,"):
        program.evaluate_batch(x[:8], y, weight)
    with pytest.raises(ModelError, match="y: expected int32"):
        program.evaluate_batch(x, y.astype(np.float32), weight)
    with pytest.raises(ModelError, match=r"expected dropout masks for \['dropout1', 'dropout2'\], got \['dropout1'\]"):
        program.train_batch(x, y, weight, hyper=PLAIN, masks={"dropout1": masks["dropout1"]})
