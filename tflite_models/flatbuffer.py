"""What is inside a TFLite flatbuffer, read with the schema that ships in the LiteRT wheel."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.errors import ModelError

_IDENTIFIER = b"TFL3"
_ROOM_FOR_HEADER = 8


@dataclass(frozen=True)
class TensorSignature:
    """One input or output of a signature.

    Attributes:
        name: its key in the signature.
        shape: its extents; empty for a scalar.
        dtype: the schema's name of the element type, such as ``FLOAT32``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class SignatureContent:
    """One signature: what goes in, what comes out, and which ops lie between.

    Attributes:
        name: its key.
        inputs: in the order of the file.
        outputs: in the order of the file.
        ops: how often each op occurs; a custom op is ``CUSTOM:name``.
    """

    name: str
    inputs: tuple[TensorSignature, ...]
    outputs: tuple[TensorSignature, ...]
    ops: dict[str, int]


def parse(data: bytes, *, name: str) -> Any:
    """Unpack a flatbuffer into the schema's object tree (``ModelT``).

    Args:
        data: the file.
        name: what an error calls it.

    Raises:
        ModelError: it is no TFLite flatbuffer, or it is cut short.
    """
    from ai_edge_litert import schema_py_generated as schema

    if len(data) < _ROOM_FOR_HEADER or data[4:8] != _IDENTIFIER:
        raise ModelError(f"{name} is no TFLite file; fetch or build it again")
    try:
        return schema.ModelT.InitFromPackedBuf(data, 0)
    except (struct.error, IndexError, ValueError, TypeError) as error:
        raise ModelError(f"{name} is cut short or damaged ({error}); fetch or build it again") from None


def signatures(model: Any) -> tuple[SignatureContent, ...]:
    """List the signatures of a model by name.

    Raises:
        ModelError: it has none.
    """
    if not model.signatureDefs:
        raise ModelError("the TFLite file has no signatures; build it with Inkfleet")
    types = _names("TensorType")
    found = []
    for definition in model.signatureDefs:
        graph = model.subgraphs[definition.subgraphIndex]

        def tensors(maps: Any, graph: Any = graph) -> tuple[TensorSignature, ...]:
            return tuple(
                TensorSignature(
                    entry.name.decode(),
                    tuple(int(extent) for extent in _list(graph.tensors[entry.tensorIndex].shape)),
                    types[graph.tensors[entry.tensorIndex].type],
                )
                for entry in _list(maps)
            )

        found.append(
            SignatureContent(
                definition.signatureKey.decode(),
                tensors(definition.inputs),
                tensors(definition.outputs),
                op_counts(model, graph),
            )
        )
    return tuple(sorted(found, key=lambda signature: signature.name))


def op_counts(model: Any, graph: Any) -> dict[str, int]:
    """Count the ops of one subgraph by name, most first."""
    counted = Counter(op_name(model.operatorCodes[op.opcodeIndex]) for op in _list(graph.operators))
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def op_name(code: Any) -> str:
    """Name an operator code: the builtin's name, or ``CUSTOM:`` and the custom op's."""
    from ai_edge_litert import schema_py_generated as schema

    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    if builtin == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM:{(code.customCode or b'?').decode()}"
    return _names("BuiltinOperator").get(builtin, f"UNKNOWN:{builtin}")


def check_builtin_only(model: Any, *, name: str) -> None:
    """Make sure that LiteRT alone can run every op.

    Raises:
        ModelError: an op is custom or needs TensorFlow's kernels ("Flex"); the message names it.
    """
    foreign = sorted(
        {label for code in _list(model.operatorCodes) if (label := op_name(code)).startswith(("CUSTOM", "UNKNOWN"))}
    )
    if foreign:
        raise ModelError(f"{name} needs ops that LiteRT does not have: {', '.join(foreign)}; use supported layers")


def check_no_scalars(model: Any, *, name: str) -> None:
    """Make sure that no input or output is a scalar, which crashes LiteRT on aarch64.

    Raises:
        ModelError: one is; the message names it.
    """
    for signature in signatures(model):
        for tensor in (*signature.inputs, *signature.outputs):
            if not tensor.shape:
                raise ModelError(f"{name}: {signature.name}/{tensor.name} has rank 0; give it the shape (1,)")


def _list(vector: Any) -> Any:
    return () if vector is None else vector


@cache
def _names(enumeration: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: key for key, value in vars(getattr(schema, enumeration)).items() if isinstance(value, int)}
