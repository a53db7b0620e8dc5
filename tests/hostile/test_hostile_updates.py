"""An invited device that sends what must not count: every kind is refused, and the device is told why."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from aggregator.acceptance import Bounds, check_tensors
from shared.errors import ProtocolError
from shared.tensors import Tensors, decode_tensors, encode_tensors
from tests.hostile.mutation import worsened

SHAPES = {"kernel": (3, 2), "bias": (2,)}
BASE: Tensors = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
BOUNDS = Bounds(max_bytes=1 << 20, max_norm_l2=10.0)
CASES = 4_000


def file_of(header: Mapping[str, object], data: bytes = b"", *, length: int | None = None) -> bytes:
    """Write a safetensors file with whatever header."""
    words = json.dumps(header).encode()
    return struct.pack("<Q", len(words) if length is None else length) + words + data


def entry(dtype: str, shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def with_value(value: float) -> bytes:
    kernel = np.zeros((3, 2), np.float32)
    kernel[1, 1] = value
    return encode_tensors({"kernel": kernel, "bias": np.zeros(2, np.float32)})


HONEST = {"kernel": entry("F32", [3, 2], 0, 24), "bias": entry("F32", [2], 24, 32)}

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "0 bytes"),
    "a header longer than the file": (lambda: file_of(HONEST, bytes(32), length=1 << 40), "header claims"),
    "a header of a negative length": (lambda: b"\xff" * 8 + bytes(64), "header claims"),
    "no data": (lambda: file_of(HONEST), "not a safetensors file"),
    "too much data": (lambda: file_of(HONEST, bytes(64)), "not a safetensors file"),
    "tensors over each other": (
        lambda: file_of({"kernel": entry("F32", [3, 2], 0, 24), "bias": entry("F32", [2], 0, 8)}, bytes(24)),
        "not a safetensors file",
    ),
    "offsets past the end": (
        lambda: file_of({"kernel": HONEST["kernel"], "bias": entry("F32", [2], 1 << 40, 1 << 41)}, bytes(32)),
        "not a safetensors file",
    ),
    "offsets below zero": (
        lambda: file_of({"kernel": entry("F32", [3, 2], -24, 0), "bias": entry("F32", [2], 0, 8)}, bytes(32)),
        "not a safetensors file",
    ),
    "a shape that overflows": (
        lambda: file_of({"kernel": entry("F32", [1 << 62, 1 << 62], 0, 24), "bias": HONEST["bias"]}, bytes(32)),
        "expected float32 of shape",
    ),
    "another shape of the same size": (
        lambda: file_of({"kernel": entry("F32", [2, 3], 0, 24), "bias": HONEST["bias"]}, bytes(32)),
        "expected float32 of shape",
    ),
    "another type": (
        lambda: file_of({"kernel": entry("F64", [3, 2], 0, 48), "bias": entry("F32", [2], 48, 56)}, bytes(56)),
        "expected float32 of shape",
    ),
    "a parameter too few": (lambda: file_of({"kernel": entry("F32", [3, 2], 0, 24)}, bytes(24)), "lacking bias"),
    "a parameter too many": (
        lambda: file_of(HONEST | {"extra": entry("F32", [1], 32, 36)}, bytes(36)), "unknown extra",
    ),
    "a list for a header": (lambda: struct.pack("<Q", 2) + b"[]", "not a JSON object"),
    "NaN": (lambda: with_value(float("nan")), "NaN or infinity"),
    "infinity": (lambda: with_value(float("inf")), "NaN or infinity"),
    "a huge step": (lambda: with_value(1e30), "L2 norm"),
    "a step whose square overflows float32": (lambda: with_value(3e38), "L2 norm"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_it_is_refused_and_told_why(kind: str) -> None:
    """Each way in which weights can be wrong has a reason in one short line, which goes to the device."""
    make, words = REFUSED[kind]
    refusal = check_tensors(make(), shapes=SHAPES, base=BASE, bounds=BOUNDS)
    assert refusal is not None
    assert refusal.verdict == "rejected"
    assert words in refusal.reason
    assert "\n" not in refusal.reason
    assert len(refusal.reason) <= 300


def test_an_honest_update_counts() -> None:
    """What is refused above is refused for its fault alone."""
    assert check_tensors(with_value(3.0), shapes=SHAPES, base=BASE, bounds=BOUNDS) is None


def test_worsened_updates_are_refused_or_harmless() -> None:
    """Whatever faults are put into a safetensors file, what passes is finite, of the right shapes, within the norm."""
    rng, good = np.random.default_rng(3), with_value(1.0)
    for _ in range(CASES):
        data = worsened(good, rng=rng)
        if check_tensors(data, shapes=SHAPES, base=BASE, bounds=BOUNDS) is None:
            harmless(decode_tensors(data, shapes=SHAPES))


@given(kernel=arrays(np.float32, (3, 2)), bias=arrays(np.float32, (2,)))
def test_no_values_get_past_the_guards(kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    """Of all float32 there are, only finite ones within the norm come through."""
    data = encode_tensors({"kernel": kernel, "bias": bias})
    if check_tensors(data, shapes=SHAPES, base=BASE, bounds=BOUNDS) is None:
        harmless(decode_tensors(data, shapes=SHAPES))


@given(st.binary(max_size=300))
def test_no_header_is_believed(header: bytes) -> None:
    """A header of any bytes is refused in one line."""
    data = struct.pack("<Q", len(header)) + header + bytes(32)
    with pytest.raises(ProtocolError, match=r"\A[^\n]+\Z"):
        decode_tensors(data, shapes=SHAPES)


def harmless(tensors: Tensors) -> None:
    """Assert that weights are what the guards promise."""
    assert {name: tensor.shape for name, tensor in tensors.items()} == SHAPES
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    norm = np.sqrt(sum(float(np.square(tensor, dtype=np.float64).sum()) for tensor in tensors.values()))
    assert norm <= BOUNDS.max_norm_l2
