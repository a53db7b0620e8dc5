"""From TensorFlow functions to TFLite bytes: builtin ops only, and the same bytes every time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from shared.errors import ModelError
from tflite_models.build.quiet import quiet_stderr
from tflite_models.flatbuffer import check_builtin_only, check_no_scalars, op_name, parse

_IDENTIFIER = b"TFL3"


def convert(module: tf.Module, signatures: dict[str, Callable[..., Any]], *, name: str) -> bytes:
    """Convert functions on a module's variables to one TFLite file with a signature for each.

    Args:
        module: holds the variables.
        signatures: the functions by the names of their signatures.
        name: what an error calls the file.

    Raises:
        ModelError: an op has no builtin kernel; the message names it.
    """
    module.inkfleet_functions = signatures  # a saved model keeps only what the module reaches
    with tempfile.TemporaryDirectory() as folder, quiet_stderr():
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True
        try:
            data = converter.convert()
        except Exception as error:  # the converter raises bare and private exceptions
            raise ModelError(f"{name} cannot be built of LiteRT's own ops: {_reason(error)}") from error
    return canonical(data, name=name)


def canonical(data: bytes, *, name: str) -> bytes:
    """Strip from a TFLite file what differs between builds and what the runtime does not need.

    Names of tensors carry counters of the process that built them, and the metadata its environment. The initial
    values of variables are dropped: weights are set before they are used.

    Raises:
        ModelError: an op is not builtin, or an input or output is a scalar.
    """
    import flatbuffers

    model = parse(data, name=name)
    check_builtin_only(model, name=name)
    check_no_scalars(model, name=name)
    _drop_initialisers(model)
    model.description = b"inkfleet"
    model.metadata = None
    model.metadataBuffer = None
    model.signatureDefs.sort(key=lambda definition: definition.signatureKey)
    for index, graph in enumerate(model.subgraphs):
        graph.name = next((d.signatureKey for d in model.signatureDefs if d.subgraphIndex == index), b"graph")
        for tensor in graph.tensors:
            tensor.name = b""
        graph.debugMetadataIndex = -1
    _pack_buffers(model)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _drop_initialisers(model: Any) -> None:
    """Remove the calls that set variables to their initial values, and the subgraphs that they call."""
    called: set[int] = set()
    for graph in model.subgraphs:
        kept = []
        for op in graph.operators:
            if op_name(model.operatorCodes[op.opcodeIndex]) == "CALL_ONCE":
                called.add(op.builtinOptions.initSubgraphIndex)
            else:
                kept.append(op)
        graph.operators = kept
    if called and min(called) < len(model.subgraphs) - len(called):
        raise ModelError("the converter put an initialiser before a signature; its layout has changed")
    model.subgraphs = model.subgraphs[: len(model.subgraphs) - len(called)]
    used = sorted({op.opcodeIndex for graph in model.subgraphs for op in graph.operators})
    place = {old: new for new, old in enumerate(used)}
    model.operatorCodes = [model.operatorCodes[old] for old in used]
    for graph in model.subgraphs:
        for op in graph.operators:
            op.opcodeIndex = place[op.opcodeIndex]


def _pack_buffers(model: Any) -> None:
    """Keep each distinct constant once. Buffer 0 is the empty one, by the format's rule."""
    old = model.buffers
    kept = [old[0]]
    place: dict[bytes, int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = old[tensor.buffer].data
            if data is None or len(data) == 0:
                tensor.buffer = 0
                continue
            key = bytes(data)
            if key not in place:
                place[key] = len(kept)
                kept.append(old[tensor.buffer])
            tensor.buffer = place[key]
    model.buffers = kept


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "op" in line.lower() and ("tf." in line or "Flex" in line)]
    return (named or lines or [type(error).__name__])[0][:200]
