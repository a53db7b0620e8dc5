"""What reads a stranger's bytes takes them or refuses them in one line, and never needs much memory or time for it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.mutation import worsened
from tests.hostile.parsers import parsers

CASES = 1500
"""Worsened examples of each kind, beside those that Hypothesis makes."""

MOST_BYTES = 64 << 20
"""Memory that reading any of them may take."""

_KINDS = sorted(parsers())


def refused_or_read(kind: str, data: bytes) -> bool:
    """Read bytes; return whether they were taken. Anything but the one kind of refusal is an error of the test."""
    parser = parsers()[kind]
    try:
        parser.read(data)
    except parser.refuses as refusal:
        words = str(refusal)
        assert "\n" not in words
        assert 0 < len(words) < 1000
        return False
    return True


@pytest.mark.parametrize("kind", _KINDS)
def test_the_good_example_is_taken(kind: str) -> None:
    """The cases begin from bytes that are read; of a model file, they begin from a part."""
    if kind != "program":
        assert all(refused_or_read(kind, good) for good in parsers()[kind].good)


@pytest.mark.parametrize("kind", _KINDS)
def test_worsened_bytes_are_refused_in_words(kind: str) -> None:
    """Flipped, cut, repeated and stuffed messages are taken or refused, within a bound of memory."""
    rng = np.random.default_rng([7, _KINDS.index(kind)])
    good = parsers()[kind].good
    count = CASES // 10 if kind in ("program", "identity", "roster") else CASES
    cases = [worsened(good[i % len(good)], rng=rng) for i in range(count)]
    tracemalloc.start()
    try:
        taken = sum(refused_or_read(kind, case) for case in cases)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < len(cases)
    assert most < MOST_BYTES


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind != "program"])
@given(
    data=st.one_of(
        st.binary(max_size=400), st.text(max_size=200).map(str.encode), st.from_regex(rb'\{"[a-z_]{1,12}":.{0,60}\}')
    )
)
def test_any_bytes_are_refused_in_words(kind: str, data: bytes) -> None:
    """Bytes that have nothing to do with a message do no harm either."""
    refused_or_read(kind, data)


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind not in ("topic", "program")])
@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'{"__metadata__":'])
def test_deep_nesting_is_refused(kind: str, depth: int, bracket: bytes) -> None:
    """JSON a hundred thousand brackets deep does not reach the end of the stack."""
    assert not refused_or_read(kind, bracket * depth)
    if kind == "tensors":
        header = bracket * (depth // 10)
        assert not refused_or_read(kind, len(header).to_bytes(8, "little") + header)
