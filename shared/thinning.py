"""Thinning: ink of any width becomes lines one pixel wide along its middle.

The parallel algorithm of Guo and Hall 1989, "Parallel Thinning with Two-Subiteration Algorithms" (Communications of the
ACM 32(3), algorithm A1). A row of a picture is one 64-bit word here, so that the conditions on all pixels of a row are
a few logical operations. Only NumPy is needed: a device that trains has no OpenCV in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDEST = 64
"""Columns of the widest picture: the bits of a word."""

_CHUNK_ROWS = 16_384  # so many words at once stay in a core's cache

Pictures = NDArray[np.uint8]
_Words = NDArray[np.uint64]

_ONE = np.uint64(1)


def thin(pictures: Pictures) -> Pictures:
    """Thin the ink of many pictures at once.

    A picture's result does not depend on the others, connected ink stays connected, and no ink vanishes: a blot
    becomes a point or a short line.

    Args:
        pictures: ``(n, height, width) uint8``, at most `WIDEST` wide; what is not 0 is ink.

    Returns:
        ``(n, height, width) uint8``, ink 1 on paper 0.

    Raises:
        ValueError: the pictures are wider.
    """
    count, height, width = pictures.shape
    if width > WIDEST:
        raise ValueError(f"expected pictures of at most {WIDEST} columns, got {width}")
    thinned = np.empty(pictures.shape, np.uint8)
    step = max(1, _CHUNK_ROWS // max(1, height))
    for start in range(0, count, step):
        rows = _packed(pictures[start : start + step])
        _thin_rows(rows.reshape(-1))
        thinned[start : start + step] = _unpacked(rows, width=width)
    return thinned


def _packed(pictures: Pictures) -> _Words:
    """Write rows as words, ``(n, height + 2) uint64``: the first column is the highest bit, paper above and below."""
    count, height, width = pictures.shape
    bits = np.zeros((count, height + 2, WIDEST), np.bool_)
    np.not_equal(pictures, 0, out=bits[:, 1:-1, :width])
    return np.packbits(bits, axis=2).view(">u8")[..., 0].astype(np.uint64)


def _unpacked(rows: _Words, *, width: int) -> Pictures:
    octets = np.ascontiguousarray(rows[:, 1:-1, np.newaxis].astype(">u8")).view(np.uint8)
    return np.unpackbits(octets, axis=2, count=width)


def _thin_rows(rows: _Words) -> None:
    """Take contour pixels away, from one side and the other in turn, until both leave all as it is."""
    turn = unchanged = 0
    while unchanged < 2:
        goes = _removable(rows, second=turn == 1)
        unchanged = 0 if goes.any() else unchanged + 1
        rows[1:-1] &= ~goes
        turn = 1 - turn


def _removable(rows: _Words, *, second: bool) -> _Words:
    """Find the pixels that go in a subiteration (the conditions a, b and c of algorithm A1)."""
    here = rows[1:-1]
    west_of, east_of = rows >> _ONE, rows << _ONE  # every pixel's neighbour in the west, and in the east
    n, s = rows[:-2], rows[2:]
    nw, w, sw = west_of[:-2], west_of[1:-1], west_of[2:]
    ne, e, se = east_of[:-2], east_of[1:-1], east_of[2:]

    # a: one run of ink around the pixel, and only one
    n_ne, e_se, s_sw, w_nw = n | ne, e | se, s | sw, w | nw
    ne_e, se_s, sw_w, nw_n = ne | e, se | s, sw | w, nw | n
    once, twice = _counted(~n & ne_e, ~e & se_s, ~s & sw_w, ~w & nw_n)
    # b: two or three neighbours, counted in pairs, in the way that gives fewer
    _, two_left = _counted(nw_n, ne_e, se_s, sw_w)
    _, two_right = _counted(n_ne, e_se, s_sw, w_nw)
    surrounded = nw_n & ne_e & se_s & sw_w & n_ne & e_se & s_sw & w_nw
    # c: on the side whose turn it is
    kept = (s | sw | ~nw) & w if second else (n | ne | ~se) & e
    goes: _Words = here & once & ~twice & two_left & two_right & ~surrounded & ~kept
    return goes


def _counted(first: _Words, second: _Words, third: _Words, fourth: _Words) -> tuple[Any, Any]:
    """Tell where at least one of four is set, and where at least two are."""
    left, right = first | second, third | fourth
    two = (first & second) | (third & fourth) | (left & right)
    return left | right, two
