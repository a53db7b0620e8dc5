"""Ports that a test may promise to somebody before anything listens there."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

_FIRST, _LAST = 20_000, 30_000
"""Below the ports that the kernel hands out by itself (32,768 and up on Linux): no connection of another test, and no
server that lets the kernel choose, comes upon one of these between our look and the use of it."""


def _candidates() -> Iterator[int]:
    """Walk through the ports without end, in every process from another place on."""
    begin = os.getpid() * 61
    for step in itertools.count():
        yield _FIRST + (begin + step) % (_LAST - _FIRST)


_ports = _candidates()


def unused_port() -> int:
    """A TCP port of the loopback address that nothing listens on, another one each time."""
    for port in _ports:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")
