"""Run a program that ends with its parent: ``python tether.py PARENT_PID PROGRAM ARGUMENT…``.

On Linux, the kernel is asked to send SIGTERM when the parent is gone; the request outlives ``exec``, so the program
itself needs to know nothing of it. It is asked for here, in a process of its own, because the alternative is to run
code between ``fork`` and ``exec`` in a parent with threads. Elsewhere the program is run as it is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int, *, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Ask for a signal at the parent's death; end at once if it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)


if __name__ == "__main__":
    tie_to_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
