"""Thinning: ink of any width becomes lines one pixel wide along its middle.

The parallel algorithm of Guo and Hall 1989, "Parallel Thinning with Two-Subiteration Algorithms" (Communications of the
ACM 32(3), algorithm A1). A row of a picture is one 64-bit word here, so that the conditions on all pixels of a row are
a few logical operations. Only NumPy is needed: a device that trains has no OpenCV in memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDEST = 64
"""Columns of the widest picture: the bits of a word."""

_CHUNK_ROWS = 16_384  # so many words at once stay in a core's cache
_WORTHWHILE = 0.8  # of the rows, at most, are still thinned when the others are put aside

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
        _thin_pictures(rows)
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


def _thin_pictures(pictures: _Words) -> None:
    """Thin packed pictures in place: only rows with ink are looked at, and only of pictures that still change."""
    flat = pictures.reshape(-1)
    inked = flat != 0
    inked[1:] |= inked[:-1]  # a row of paper after each stretch of ink keeps it from the next one
    inked[:1] = True
    at = np.flatnonzero(inked)
    rows, owner = flat[at], at // max(1, pictures.shape[1])
    while len(rows) > 2:
        changed = _taken_away(rows, second=False)
        changed |= _taken_away(rows, second=True)
        still = np.zeros(len(pictures), np.bool_)
        still[owner[1:-1][changed]] = True
        left = still[owner]
        if np.count_nonzero(left) > _WORTHWHILE * len(rows):
            continue
        flat[at] = rows
        left[0] = True
        at, rows, owner = at[left], rows[left], owner[left]
        rows[0] = 0  # the paper over the first row


def _taken_away(rows: _Words, *, second: bool) -> NDArray[np.bool_]:
    """Take away what goes in a subiteration (the conditions a, b and c of algorithm A1), and say in which rows."""
    west, east = rows >> _ONE, rows << _ONE  # every pixel's neighbour in the west, and in the east
    not_here, not_west, not_east = ~rows, ~west, ~east
    e, w = east[1:-1], west[1:-1]
    # Neighbours in pairs; "n_ne" is one of both.
    beside = rows | east
    n_ne, se_s = beside[:-2], beside[2:]
    beside = rows | west
    nw_n, s_sw = beside[:-2], beside[2:]
    over = east[:-1] | east[1:]
    ne_e, e_se = over[:-1], over[1:]
    over = west[:-1] | west[1:]
    w_nw, sw_w = over[:-1], over[1:]

    # a: one run of ink around the pixel, and only one
    from_n, from_e = not_here[:-2] & ne_e, not_east[1:-1] & se_s
    from_s, from_w = not_here[2:] & sw_w, not_west[1:-1] & nw_n
    goes = from_n | from_e
    goes ^= from_s | from_w
    stays = from_n & from_e
    stays |= from_s & from_w
    # b: two or three neighbours, counted in pairs, in the way that gives fewer
    two, four = _counted(nw_n, ne_e, se_s, sw_w)
    goes &= two
    two, other_four = _counted(n_ne, e_se, s_sw, w_nw)
    goes &= two
    four &= other_four
    stays |= four
    # c: on the side whose turn it is
    stays |= (s_sw | not_west[:-2]) & w if second else (n_ne | not_east[2:]) & e

    goes &= rows[1:-1]
    goes &= ~stays
    rows[1:-1] ^= goes
    changed: NDArray[np.bool_] = goes != 0
    return changed


def _counted(first: _Words, second: _Words, third: _Words, fourth: _Words) -> tuple[_Words, _Words]:
    """Tell where at least two of four are set, and where all are."""
    left, right = first & second, third & fourth
    two = first | second
    two &= third | fourth
    two |= left
    two |= right
    left &= right
    return two, left
