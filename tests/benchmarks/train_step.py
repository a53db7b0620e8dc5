"""How fast one training step is, against the plain form of the same network and against TensorFlow, in one run.

    python tests/benchmarks/train_step.py [--rounds 30] [--json]

The contestants take turns, so that what else the machine does hits all of them alike, and each is judged by the
least CPU time it took. Without TensorFlow, only Inkfleet's own step is timed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.manifest import Manifest
from tflite_models.runtime.hyper import TrainHyper
from tflite_models.runtime.interpreter import open_interpreter
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.training import draw_masks
from tflite_models.runtime.weights import initial_weights

Step = Callable[[], None]
Batch = dict[str, NDArray[Any]]

RATE, MOMENTUM = 0.01, 0.9


def main() -> None:
    """Time the contestants and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bundle = builtin_bundle("arithmetic")
    batch = sample_batch(bundle.manifest)
    steps = {"inkfleet": inkfleet_step(bundle, batch)}
    try:
        import tflite_models.build  # noqa: F401
    except Exception as error:
        print(f"without TensorFlow ({error}): only Inkfleet's step is timed", file=sys.stderr)  # noqa: T201
    else:
        steps["plain CONV_2D form"] = plain_step(bundle.manifest, batch)
        steps["TensorFlow tf.function"] = tensorflow_step(bundle.manifest, batch)
    taken = race(steps, rounds=arguments.rounds)
    ours = taken["inkfleet"]
    report = {
        name: {
            "cpu_ms": round(seconds * 1e3, 2),
            "samples_per_s": round(bundle.manifest.batch / seconds),
            "times_as_long": round(seconds / ours, 2),
        }
        for name, seconds in taken.items()
    }
    if arguments.json:
        print(json.dumps({"train_step": report, "batch": bundle.manifest.batch, "threads": 1}))  # noqa: T201
        return
    for name, row in report.items():
        print(  # noqa: T201
            f"{name:24} {row['cpu_ms']:8.2f} ms a step {row['samples_per_s']:7} samples/s "
            f"{row['times_as_long']:6.2f} times Inkfleet's"
        )


def race(steps: dict[str, Step], *, rounds: int) -> dict[str, float]:
    """Return the least CPU time of one call of each, in seconds, when they take turns."""
    least = dict.fromkeys(steps, float("inf"))
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            begin = time.process_time()
            step()
            least[name] = min(least[name], time.process_time() - begin)
    return least


def sample_batch(manifest: Manifest) -> Batch:
    """Draw one full batch of thin ink."""
    rng = np.random.default_rng(0)
    return {
        "x": (rng.random((manifest.batch, *manifest.input_shape)) < 0.1).astype(np.float32),
        "y": rng.integers(0, len(manifest.labels), manifest.batch).astype(np.int32),
        "weight": np.ones(manifest.batch, np.float32),
        **draw_masks(manifest, rng=rng),
    }


def inkfleet_step(bundle: ModelBundle, batch: Batch) -> Step:
    """Inkfleet's training step, as a device runs it."""
    program = TrainingProgram(bundle)
    program.set_weights(initial_weights(bundle.manifest, seed=1))
    masks = {mask.name: batch[mask.name] for mask in bundle.manifest.masks}
    hyper = TrainHyper(lr=RATE, momentum=MOMENTUM)

    def step() -> None:
        program.train_batch(batch["x"], batch["y"], batch["weight"], hyper=hyper, masks=masks)

    return step


def plain_step(manifest: Manifest, batch: Batch) -> Step:
    """The same network layer by layer, convolutions as CONV_2D and gradients in builtin ops, in LiteRT."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)  # before TensorFlow does anything else
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from tflite_models.build.convert import convert
    from tflite_models.build.dense import Dense
    from tflite_models.build.network import cross_entropy
    from tflite_models.build.optimizers import momentum_step

    weights = initial_weights(manifest, seed=1)
    stored = {name: value[np.newaxis] if value.ndim == 2 else value for name, value in weights.items()}
    module = tf.Module()
    module.weights = {name: tf.Variable(tf.zeros(value.shape)) for name, value in stored.items()}
    module.velocity = {name: tf.Variable(tf.zeros(value.shape)) for name, value in stored.items()}
    names = list(batch)

    def train(*values: Any) -> dict[str, Any]:
        given = dict(zip(names, values, strict=True))
        p = {name: variable.read_value() for name, variable in module.weights.items()}
        gradients: dict[str, Any] = {}
        h, saved = given["x"], []
        for name in ("conv1", "conv2"):
            y = tf.nn.relu(tf.nn.conv2d(h, p[f"{name}.kernel"], 1, "VALID") + p[f"{name}.bias"])
            pooled = tf.nn.max_pool2d(y, 2, 2, "VALID")
            saved.append((name, h, y, pooled))
            h = pooled
        shape = h.shape
        h = tf.reshape(h, (shape[0], -1))
        dense = [Dense("dense1", True, True), Dense("dense2", True, True), Dense("classes", True, False)]
        kept = []
        for index, block in enumerate(dense):
            forward = block.forward(h, p, {})
            kept.append(forward.saved)
            h = forward.output * given[f"dropout{index + 1}"] if index < 2 else forward.output
        outcome = cross_entropy(h, given["y"], given["weight"])
        g = outcome.gradient
        for index in (2, 1, 0):
            g = g * given[f"dropout{index + 1}"] if index < 2 else g
            g, found = dense[index].backward(kept[index], g, p, wants_input=True)
            gradients |= found
        g = tf.reshape(g, shape)
        for name, below, y, pooled in reversed(saved):
            g = _pool_gradient(y, pooled, g) * tf.cast(y > 0, tf.float32)
            kernel = tf.nn.conv2d(tf.transpose(below, (3, 1, 2, 0)), tf.transpose(g, (1, 2, 0, 3)), 1, "VALID")
            gradients[f"{name}.kernel"] = tf.transpose(kernel, (1, 2, 0, 3))
            gradients[f"{name}.bias"] = tf.reduce_sum(g, axis=(0, 1, 2))
            if name == "conv2":
                turned = tf.reverse(tf.transpose(p["conv2.kernel"], (0, 1, 3, 2)), (0, 1))
                g = tf.nn.conv2d(tf.pad(g, ((0, 0), (2, 2), (2, 2), (0, 0))), turned, 1, "VALID")
        one = tf.ones((1,))
        momentum_step(
            gradients, p, module.weights, module.velocity, rate=one * RATE, momentum=one * MOMENTUM, active=one
        )
        return {"loss": outcome.loss}

    def assign(*values: Any) -> dict[str, Any]:
        for name, value in zip(stored, values, strict=True):
            module.weights[name].assign(value)
            module.velocity[name].assign(value * 0.0)
        return {"done": tf.ones((1,)) * values[-1][:1]}

    def traced(function: Any, arrays: Batch) -> Any:
        specs = [tf.TensorSpec(value.shape, value.dtype, name=name) for name, value in arrays.items()]
        return tf.function(function, input_signature=specs, autograph=False)

    data = convert(module, {"train": traced(train, batch), "assign": traced(assign, stored)}, name="plain form")
    interpreter = open_interpreter(data, name="plain form", threads=1)
    interpreter.get_signature_runner("assign")(**stored)
    runner = interpreter.get_signature_runner("train")

    def step() -> None:
        runner(**batch)

    return step


def _pool_gradient(y: Any, pooled: Any, gradient: Any) -> Any:
    """The gradient of 2×2 pooling by an equality mask, divided by the number of ties."""
    import tensorflow as tf

    def grown(small: Any) -> Any:
        return tf.image.resize(small, (2 * small.shape[1], 2 * small.shape[2]), "nearest")

    rows, columns = 2 * pooled.shape[1], 2 * pooled.shape[2]
    inner = tf.slice(y, (0, 0, 0, 0), (y.shape[0], rows, columns, y.shape[3]))
    mask = tf.cast(tf.equal(inner, grown(pooled)), tf.float32)
    ties = tf.nn.avg_pool2d(mask, 2, 2, "VALID") * 4.0
    whole = mask * grown(gradient / ties)
    return tf.pad(whole, ((0, 0), (0, y.shape[1] - rows), (0, y.shape[2] - columns), (0, 0)))


def tensorflow_step(manifest: Manifest, batch: Batch) -> Step:
    """The same step in TensorFlow: GradientTape in a ``tf.function``, on the one thread that ``plain_step`` set."""
    import tensorflow as tf

    variables = {name: tf.Variable(value) for name, value in initial_weights(manifest, seed=1).items()}
    optimizer = tf.keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    fed = {name: tf.constant(value) for name, value in batch.items()}

    @tf.function  # type: ignore[untyped-decorator]
    def train() -> Any:
        with tf.GradientTape() as tape:
            h = fed["x"]
            for name in ("conv1", "conv2"):
                h = tf.nn.conv2d(h, variables[f"{name}.kernel"], 1, "VALID") + variables[f"{name}.bias"]
                h = tf.nn.max_pool2d(tf.nn.relu(h), 2, 2, "VALID")
            h = tf.reshape(h, (manifest.batch, -1))
            for index, name in enumerate(("dense1", "dense2"), start=1):
                h = tf.nn.relu(h @ variables[f"{name}.kernel"] + variables[f"{name}.bias"])
                h = h * fed[f"dropout{index}"]
            h = h @ variables["classes.kernel"] + variables["classes.bias"]
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(fed["y"], h))
        trained = list(variables.values())
        optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        return loss

    def step() -> None:
        train().numpy()

    return step


if __name__ == "__main__":
    main()
