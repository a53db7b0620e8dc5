"""Keeping the memory of a process that runs for long from falling to pieces."""

from __future__ import annotations

import contextlib
import ctypes

_M_MMAP_THRESHOLD = -3  # mallopt(3)
_LARGE_BYTES = 64 * 1024


def keep_large_blocks_apart() -> None:
    """Have large blocks come from the system and go back to it, one by one. Nothing happens where there is no glibc.

    glibc begins so, and takes larger and larger blocks from its heap as soon as some were freed (mallopt(3),
    M_MMAP_THRESHOLD). Where a buffer of 256 KiB is asked for with everything that comes over a line, what is kept
    meanwhile lies between them, and the heap grows by the holes.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
