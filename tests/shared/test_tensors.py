"""The tensor codec: bit for bit there and back, and every lie in a file is found."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from shared.errors import ProtocolError
from shared.tensors import decode_tensors, encode_tensors, sha256_of

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(4, np.float32)}
SHAPES = {name: tensor.shape for name, tensor in TENSORS.items()}

finite = hnp.arrays(
    np.float32,
    hnp.array_shapes(max_dims=3, max_side=4),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)


@given(st.dictionaries(st.text("abcxyz_/0", min_size=1, max_size=8), finite, min_size=1, max_size=4))
def test_tensors_survive_the_wire_bit_for_bit(tensors: dict[str, np.ndarray]) -> None:
    """Decoding what was encoded gives the same bits in the order asked for."""
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    back = decode_tensors(encode_tensors(tensors), shapes=shapes)
    assert list(back) == list(shapes)
    assert all(back[name].tobytes() == tensor.tobytes() for name, tensor in tensors.items())


def test_the_hash_depends_on_the_tensors_alone() -> None:
    """The order in which tensors are given changes no byte."""
    turned = dict(reversed(TENSORS.items()))
    assert sha256_of(encode_tensors(TENSORS)) == sha256_of(encode_tensors(turned))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"a": (4,)}, "unknown b"),
        ({**SHAPES, "c": (1,)}, "lacking c"),
        ({**SHAPES, "b": (3, 2)}, "tensor b: expected float32"),
    ],
)
def test_weights_of_another_model_are_refused(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    """Other names and other shapes are told apart and named."""
    with pytest.raises(ProtocolError, match=message):
        decode_tensors(encode_tensors(TENSORS), shapes=shapes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    """One NaN in one tensor refuses the whole."""
    spoilt = {**TENSORS, "a": np.array([0, value, 0, 0], np.float32)}
    with pytest.raises(ProtocolError, match="tensor a: expected finite"):
        decode_tensors(encode_tensors(spoilt), shapes=SHAPES)


def test_another_dtype_is_refused() -> None:
    """Only float32 travels."""
    from safetensors.numpy import save

    with pytest.raises(ProtocolError, match="got F64"):
        decode_tensors(save({"a": np.ones(4)}), shapes={"a": (4,)})


def test_a_header_that_lies_about_its_length_is_refused() -> None:
    """A header cannot claim more than the file holds."""
    data = encode_tensors(TENSORS)
    with pytest.raises(ProtocolError, match="claims"):
        decode_tensors(struct.pack("<Q", 1 << 60) + data[8:], shapes=SHAPES)


def test_offsets_that_lie_are_refused() -> None:
    """Offsets outside the data, or overlapping, are refused."""
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 99]}}).encode()
    with pytest.raises(ProtocolError, match="safetensors"):
        decode_tensors(struct.pack("<Q", len(header)) + header + bytes(16), shapes={"a": (4,)})


@settings(max_examples=300)
@given(st.data())
def test_any_damage_is_found_or_harmless(data: st.DataObject) -> None:
    """A file cut short or with changed bytes raises a protocol error, or decodes to finite tensors; nothing else."""
    good = bytearray(encode_tensors(TENSORS))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    try:
        tensors = decode_tensors(bytes(good[:cut]), shapes=SHAPES)
    except ProtocolError:
        return
    assert all(np.isfinite(tensor).all() and tensor.shape == SHAPES[name] for name, tensor in tensors.items())
