"""Bytes made worse: what a stranger, a bad line or a bad disk makes of a good message."""

from __future__ import annotations

import numpy as np

WORDS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1", b"0", b"1" * 40, b"null", b"true", b'""', b"[]", b"{}",
    b"[" * 400, b'{"a":' * 400, b'"\\ud800"', b'"\\u0000"', b"../../etc/passwd", b"+/#", b"\x00", b"\xff\xfe",
    b"\x1b[2J",
    b"9223372036854775808", b"1.5", b'"online"', b"__metadata__", b'"F64"', b'"shape"',
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
)  # fmt: skip


def worsened(good: bytes, *, rng: np.random.Generator) -> bytes:
    """Return a good message with one to four faults: bits flipped, cut, repeated, swapped, or words put in.

    Args:
        good: to begin from.
        rng: draws the faults.
    """
    data = bytearray(good)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(data) + 1))
        end = min(len(data), at + int(rng.integers(1, 40)))
        way = int(rng.integers(0, 8))
        if way == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at:end]
        elif way == 3:
            data[at:at] = data[at:end]
        elif way == 4:
            data[at:at] = rng.bytes(int(rng.integers(1, 20)))
        elif way == 5:
            data[at:end] = WORDS[int(rng.integers(0, len(WORDS)))]
        elif way == 6:
            _put_for_a_number(data, rng)
        else:
            data[at:end] = data[at:end][::-1]
    return bytes(data)


def _put_for_a_number(data: bytearray, rng: np.random.Generator) -> None:
    """Put a word in the place of a number, so that what is read is still JSON more often than not."""
    digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57 and (i == 0 or not 48 <= data[i - 1] <= 57)]
    if not digits:
        return
    start = digits[int(rng.integers(0, len(digits)))]
    end = start
    while end < len(data) and 48 <= data[end] <= 57:
        end += 1
    data[start:end] = WORDS[int(rng.integers(0, len(WORDS)))]
