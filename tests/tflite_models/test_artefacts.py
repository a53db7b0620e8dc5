"""What is inside the artefacts: builtin ops, no scalars, XNNPACK, and the same bytes on every build."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import ModelError
from shared.labels import LabelSet
from tests.tflite_models.late import ON_ONE_WORKER
from tflite_models.architecture import Architecture, DenseSpec, FlattenSpec, default_architecture
from tflite_models.bundle import ModelBundle, builtin_bundle, builtin_names
from tflite_models.flatbuffer import check_builtin_only, check_no_scalars, op_counts, parse, signatures
from tflite_models.runtime.interpreter import open_interpreter
from tflite_models.runtime.training import draw_masks
from tflite_models.runtime.verification import verify
from tflite_models.runtime.weights import initial_weights

SMALL_SHA256 = "f255d60dee13f341ebbd8b48394434566a02995b91a2cf91f3e2ce0582bb466a"
"""Of the manifest of `small_bundle`, which has the hashes of its programs, by the recipe of the committed models."""


@pytest.mark.parametrize("name", builtin_names())
def test_every_shipped_model_verifies(name: str) -> None:
    """Hashes, builtin ops, signatures, XNNPACK, one step, and a reader that agrees."""
    bundle = builtin_bundle(name)
    assert [check.name for check in verify(bundle)] == ["hashes", "builtin ops", "signatures", "xnnpack", "one step"]
    assert bundle.manifest.layers == default_architecture(len(bundle.manifest.labels)).layers


@ON_ONE_WORKER
def test_users_model_verifies(small_bundle: ModelBundle) -> None:
    """A model of a user's own layers passes the same checks."""
    assert len(verify(small_bundle)) == 5


def test_custom_op_is_named(bundle: ModelBundle) -> None:
    """An op that needs TensorFlow's kernels fails the build, by name."""
    from ai_edge_litert import schema_py_generated as schema

    model = parse(bundle.program, name="p")
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    model.operatorCodes[0].customCode = b"FlexReluGrad"
    with pytest.raises(ModelError, match="p needs ops that LiteRT does not have: CUSTOM:FlexReluGrad"):
        check_builtin_only(model, name="p")


def test_scalar_input_is_named(bundle: ModelBundle) -> None:
    """An input of rank 0 fails the build, because it crashes aarch64."""
    model = parse(bundle.program, name="p")
    definition = next(d for d in model.signatureDefs if d.signatureKey == b"train")
    entry = next(e for e in definition.inputs if e.name == b"lr")
    model.subgraphs[definition.subgraphIndex].tensors[entry.tensorIndex].shape = None
    with pytest.raises(ModelError, match="p: train/lr has rank 0"):
        check_no_scalars(model, name="p")


@ON_ONE_WORKER
def test_function_that_needs_flex_does_not_build() -> None:
    """TensorFlow's own gradient of pooling has no builtin kernel: the build fails and names the op."""
    tf = pytest.importorskip("tensorflow")
    from tflite_models.build.convert import convert

    def step(x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.nn.max_pool2d(x, 2, 2, "VALID"))
        return {"g": tape.gradient(loss, x)}

    function = tf.function(step, input_signature=[tf.TensorSpec((1, 4, 4, 1), tf.float32, name="x")])
    with pytest.raises(ModelError, match=r"bad cannot be built of LiteRT's own ops: .*MaxPoolGrad"):
        convert(tf.Module(), {"step": function}, name="bad")


@pytest.mark.parametrize("data", [b"", b"short", b"\x00" * 64, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 40])
def test_bytes_that_are_no_flatbuffer_are_refused(data: bytes) -> None:
    """Whatever is not a TFLite file ends in one line."""
    with pytest.raises(ModelError, match=r"p (is no TFLite file|is cut short or damaged)"):
        parse(data, name="p")


def test_truncated_program_is_refused(bundle: ModelBundle) -> None:
    """A program cut in half is refused when it is parsed and when LiteRT opens it."""
    half = bundle.program[: len(bundle.program) // 2]
    with pytest.raises(ModelError):
        signatures(parse(half, name="p"))
    with pytest.raises(ModelError, match="LiteRT cannot load p"):
        open_interpreter(half, name="p", threads=1)


def test_program_holds_no_weights(bundle: ModelBundle) -> None:
    """Weights are set before use, so the program is far smaller than they are."""
    assert len(bundle.program) < 1_000_000
    for signature in signatures(parse(bundle.program, name="p")):
        assert "CALL_ONCE" not in signature.ops


def test_products_stay_where_xnnpack_runs_them(bundle: ModelBundle) -> None:
    """Ops that cost many times as much outside XNNPACK are absent from a training step."""
    model = parse(bundle.program, name="p")
    definition = next(d for d in model.signatureDefs if d.signatureKey == b"train")
    ops = op_counts(model, model.subgraphs[definition.subgraphIndex])
    assert ops["BATCH_MATMUL"] > 100
    assert not {"FULLY_CONNECTED", "STRIDED_SLICE", "SELECT_V2", "GATHER"} & set(ops)


def test_xnnpack_is_active_in_a_training_step(bundle: ModelBundle) -> None:
    """A step with LiteRT's defaults takes less than half the CPU of one without XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    manifest = bundle.manifest
    rng = np.random.default_rng(0)
    numbers = {"lr": 0.01, "momentum": 0.9}
    inputs = {
        "x": rng.random((32, 45, 45, 1), np.float32),
        "y": np.zeros(32, np.int32),
        "weight": np.ones(32, np.float32),
        **{name: np.array([value], np.float32) for name, value in numbers.items()},
        **draw_masks(manifest, rng=rng),
    }

    def fastest(resolver: Any, rounds: int) -> float:
        interpreter = Interpreter(model_content=bundle.program, num_threads=1, experimental_op_resolver_type=resolver)
        interpreter.get_signature_runner("set_weights")(**initial_weights(manifest, seed=0))
        interpreter.get_signature_runner("reset_optimizer")()
        step = interpreter.get_signature_runner("train")
        step(**inputs)
        taken = []
        for _ in range(rounds):
            begin = time.process_time()
            step(**inputs)
            taken.append(time.process_time() - begin)
        return min(taken)

    assert fastest(OpResolverType.AUTO, 10) < 0.5 * fastest(OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, 3)


@ON_ONE_WORKER
def test_second_build_in_one_process_gives_the_same_bytes() -> None:
    """Counters of the process that builds leave no trace in the files."""
    pytest.importorskip("tensorflow")
    from tflite_models.build.artefacts import build_model

    tiny = Architecture(layers=(FlattenSpec(name="f"), DenseSpec(name="d", units=2, activation="softmax")))
    one, other = (build_model(LabelSet("tiny", ("0", "1")), architecture=tiny, batch=2) for _ in range(2))
    assert one.manifest_bytes == other.manifest_bytes


@ON_ONE_WORKER
def test_recipe_is_the_one_that_the_committed_models_were_built_by(small_bundle: ModelBundle) -> None:
    """A small network of every kind of layer comes out as when they were built; a full build takes a minute.

    Where a recipe changes on purpose: ``make models``, the next test, and the new hash here.
    """
    assert small_bundle.sha256 == SMALL_SHA256
    for name in builtin_names():
        assert builtin_bundle(name).manifest.versions == small_bundle.manifest.versions


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_fresh_process_builds_the_committed_bytes(tmp_path: Path) -> None:
    """A build of arithmetic from nothing gives the three files that are committed, byte for byte."""
    pytest.importorskip("tensorflow")
    code = (
        f"from deploy.cli import main; main(['model', 'build', '--labels', 'arithmetic', '--out', {str(tmp_path)!r}])"
    )
    built = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=550)
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    committed = builtin_bundle("arithmetic")
    found = ModelBundle.load(tmp_path)
    assert found.program == committed.program
    assert found.reader == committed.reader
    assert found.manifest_bytes == committed.manifest_bytes
