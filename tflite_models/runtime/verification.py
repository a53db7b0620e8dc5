"""Checks that a model is what its manifest says, and that this machine runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.errors import ModelError
from tflite_models.bundle import ModelBundle
from tflite_models.flatbuffer import SignatureContent, check_builtin_only, check_no_scalars, parse, signatures
from tflite_models.manifest import Manifest
from tflite_models.runtime.evaluation import evaluate
from tflite_models.runtime.hyper import TrainHyper
from tflite_models.runtime.interpreter import open_interpreter
from tflite_models.runtime.program import STEP_NUMBERS, TrainingProgram
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.training import train
from tflite_models.runtime.weights import initial_weights

AGREEMENT = 1e-5
"""How far the reader's loss may be from the training program's, in nats."""

_SIGNATURES = {"sgd": ("train", "train_guarded"), "adam": ("train_adam",)}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        detail: what was found.
    """

    name: str
    detail: str


def verify(bundle: ModelBundle) -> list[Check]:
    """Look at everything that a fleet relies on.

    Args:
        bundle: a model; its hashes were checked when it was loaded.

    Returns:
        What was checked, in order.

    Raises:
        ModelError: the first check that failed.
    """
    manifest = bundle.manifest
    program = parse(bundle.program, name=manifest.program.name)
    reader = parse(bundle.reader, name=manifest.reader.name)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("hashes", lambda: f"manifest {bundle.sha256[:12]}…, both files are the ones it names"),
        ("builtin ops", lambda: _check_ops(program, reader, manifest)),
        ("signatures", lambda: _check_signatures(program, reader, manifest)),
        ("xnnpack", lambda: _check_xnnpack(bundle)),
        ("one step", lambda: _check_step(bundle)),
    ]
    return [Check(name, check()) for name, check in checks]


def _check_ops(program: Any, reader: Any, manifest: Manifest) -> str:
    for model, file in ((program, manifest.program), (reader, manifest.reader)):
        check_builtin_only(model, name=file.name)
        check_no_scalars(model, name=file.name)
    return "no Flex or custom op, no scalar"


def _check_signatures(program: Any, reader: Any, manifest: Manifest) -> str:
    expected = expected_inputs(manifest)
    found = {signature.name: signature for signature in (*signatures(program), *signatures(reader))}
    for name, inputs in expected.items():
        if name not in found:
            raise ModelError(f"model {manifest.name!r} lacks the signature {name!r}; build it again")
        _compare(found[name], inputs)
    return f"{len(expected)} as the manifest says"


def _compare(signature: SignatureContent, inputs: dict[str, tuple[int, ...]]) -> None:
    shapes = {tensor.name: tensor.shape for tensor in signature.inputs}
    if shapes != inputs:
        wrong = sorted(name for name in {*shapes, *inputs} if shapes.get(name) != inputs.get(name))[0]
        raise ModelError(
            f"{signature.name}/{wrong}: expected shape {inputs.get(wrong)}, got {shapes.get(wrong)}; build it again"
        )


def expected_inputs(manifest: Manifest) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return the shape of every input of every signature that a manifest promises."""
    batch = {"x": (manifest.batch, *manifest.input_shape), "y": (manifest.batch,), "weight": (manifest.batch,)}
    masks = {mask.name: mask.shape for mask in manifest.masks}
    expected: dict[str, dict[str, tuple[int, ...]]] = {
        signature: {**batch, **masks, **dict.fromkeys(STEP_NUMBERS[signature], (1,))}
        for optimizer in manifest.optimizers
        for signature in _SIGNATURES[optimizer]
    }
    expected["evaluate"] = dict(batch)
    expected["set_weights"] = {spec.name: spec.shape for spec in manifest.parameters}
    expected["get_weights"] = {}
    expected["reset_optimizer"] = {}
    expected |= {f"read_{size}": {"x": (size, *manifest.input_shape)} for size in manifest.reader_batches}
    return expected


def _check_xnnpack(bundle: ModelBundle) -> str:
    interpreter = open_interpreter(bundle.program, name=bundle.manifest.program.name, threads=1)
    # Without XNNPACK, training takes several times as long; LiteRT says nothing where it is missing.
    delegated = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
    if not delegated:
        raise ModelError("LiteRT runs this model without XNNPACK, many times slower; reinstall ai-edge-litert")
    return f"active, {len(delegated)} partitions in the evaluation"


def _check_step(bundle: ModelBundle) -> str:
    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    count = manifest.batch + 1
    images = (rng.random((count, *manifest.input_shape[:2])) < 0.1).astype(np.uint8) * np.uint8(255)
    labels = (np.arange(count) % len(manifest.labels)).astype(np.int32)
    program = TrainingProgram(bundle)
    program.set_weights(initial_weights(manifest, seed=0))
    before = evaluate(program, images, labels).loss
    hyper = TrainHyper(lr=0.01)
    train(program, images, labels, hyper=hyper, epochs=1, batch_size=manifest.batch, rng=rng)
    after = evaluate(program, images, labels).loss
    if after == before or not np.isfinite(after):
        raise ModelError(f"a training step took the loss from {before} to {after}; build the model again")
    read = evaluate(FrozenReader(bundle, weights=program.get_weights()), images, labels).loss
    if abs(read - after) > AGREEMENT * max(1.0, after):
        raise ModelError(f"the reader's loss is {read}, the training program's {after}; build the model again")
    return f"loss {before:.4f} to {after:.4f}, the reader agrees to {abs(read - after):.1e}"
