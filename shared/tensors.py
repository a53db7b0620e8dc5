"""Tensors on the wire and on disk: safetensors, and nothing that can run code."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from shared.errors import ProtocolError

MAX_HEADER_BYTES = 1 << 20
"""A safetensors header longer than this is refused unread."""

Tensors = dict[str, NDArray[np.float32]]


def encode_tensors(tensors: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Write float32 tensors as a safetensors file.

    No metadata is written, so the same tensors always give the same bytes, and the same hash.
    """
    return bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))


def decode_tensors(data: bytes, *, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Read a safetensors file that must hold these float32 tensors, and check every one.

    Args:
        data: the file's bytes.
        shapes: the name and shape of every tensor expected; the result has their order.

    Raises:
        ProtocolError: truncated, another set of names, another shape or dtype, or a value that is not finite.
    """
    header = _header(data)
    names = set(header)
    if names != set(shapes):
        lacking, extra = sorted(set(shapes) - names), sorted(names - set(shapes))
        raise ProtocolError(
            "tensors: expected the parameters of the model; "
            + "; ".join(
                part
                for part in (
                    f"lacking {', '.join(lacking[:3])}" if lacking else "",
                    f"unknown {', '.join(extra[:3])}" if extra else "",
                )
                if part
            )
        )
    for name, shape in shapes.items():
        entry = header[name]
        if not isinstance(entry, dict) or entry.get("dtype") != "F32" or entry.get("shape") != list(shape):
            found = f"{entry.get('dtype')} {entry.get('shape')}" if isinstance(entry, dict) else "nothing"
            raise ProtocolError(f"tensor {name}: expected float32 of shape {shape}, got {found}"[:300])
    try:
        tensors = load(data)
    except Exception as error:  # the library raises its own kind, and others for lying offsets
        raise ProtocolError(f"tensors: not a safetensors file: {error}"[:300]) from None
    ordered: Tensors = {}
    for name in shapes:
        tensor = tensors[name]
        if not np.isfinite(tensor).all():
            raise ProtocolError(f"tensor {name}: expected finite values, got NaN or infinity")
        ordered[name] = tensor
    return ordered


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 of these bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _header(data: bytes) -> dict[str, object]:
    if len(data) < 8:
        raise ProtocolError(f"tensors: expected a safetensors file, got {len(data)} bytes")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise ProtocolError(f"tensors: the header claims {length} bytes, the file holds {len(data) - 8}")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        raise ProtocolError("tensors: the safetensors header is not JSON") from None
    if not isinstance(header, dict):
        raise ProtocolError("tensors: the safetensors header is not a JSON object")
    header.pop("__metadata__", None)
    return header
