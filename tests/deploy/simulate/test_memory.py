"""What is done for the memory of a long run."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import ctypes, sys
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena a b c mapped d e used free f".split()]
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Info
from deploy.simulate.memory import keep_large_blocks_apart
if sys.argv[1] == "apart":
    keep_large_blocks_apart()
libc.free(libc.malloc(1 << 20))  # from now on glibc would take such blocks from its heap
before = libc.mallinfo2().mapped
libc.malloc(1 << 19)
print(libc.mallinfo2().mapped - before)
"""


@pytest.mark.parametrize(("how", "mapped"), [("apart", True), ("as usual", False)])
def test_large_blocks_do_not_come_from_the_heap(how: str, mapped: bool) -> None:
    """Also after one was freed, where glibc changes its ways unless it is told."""
    run = subprocess.run([sys.executable, "-c", LOOK, how], capture_output=True, text=True, check=True)
    assert (int(run.stdout) >= 1 << 19) == mapped
