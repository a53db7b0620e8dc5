"""Places where a test ends a process as ``kill -9`` would: between two steps that belong together.

The code says where it is (`reach`); nothing happens unless the environment names that place::

    INKFLEET_TEST_CRASH_POINT="update durable"      the first time that it is reached
    INKFLEET_TEST_CRASH_POINT="chunk arrived:8"     the eighth time
"""

from __future__ import annotations

import os
import signal
import threading

VARIABLE = "INKFLEET_TEST_CRASH_POINT"
"""The environment variable that names a point."""

POINTS = frozenset(
    {
        # of an aggregator, in the order of a round
        "round recorded",
        "manifest published",
        "chunk arrived",
        "update spooled",
        "update durable",
        "round closed",
        "averaging",
        "weights written",
        "round committed",
        "evaluating",
        "last weights written",
        # of a device
        "fetching",
        "training",
        "update kept",
        "uploading",
        "uploaded",
        "verdict kept",
    }
)
"""Every point that there is; a test that names another would never end anything."""

_lock = threading.Lock()
_reached = 0


def reach(point: str) -> None:
    """End this process here, at once and without a word, if the environment names this point.

    Args:
        point: one of `POINTS`.
    """
    named = os.environ.get(VARIABLE)
    if named is None:
        return
    name, _, count = named.partition(":")
    if name not in POINTS:
        raise ValueError(f"{VARIABLE}: there is no point {name!r}")
    if name == point and _times() >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def _times() -> int:
    """Count once more; from whatever thread."""
    global _reached
    with _lock:
        _reached += 1
        return _reached
