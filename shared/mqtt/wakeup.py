"""A file descriptor that wakes a thread out of ``poll``."""

from __future__ import annotations

import contextlib
import os
import sys
import threading


class Wakeup:
    """``set`` makes ``fileno`` readable until ``clear``; on Linux it costs one descriptor, elsewhere two.

    Setting it before ``open`` or after ``close`` does nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read = self._write = -1

    def open(self) -> None:
        """Take the descriptors."""
        if sys.platform == "linux":
            self._read = self._write = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._read, self._write = os.pipe()
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """The descriptor to poll for reading."""
        return self._read

    def set(self) -> None:
        """Wake whoever polls."""
        with self._lock:
            if self._write >= 0:
                # It blocks only when it has been set many times over already.
                with contextlib.suppress(BlockingIOError):
                    os.write(self._write, (1).to_bytes(8, sys.byteorder))

    def clear(self) -> None:
        """Make it quiet again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 512)

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            for descriptor in {self._read, self._write} - {-1}:
                os.close(descriptor)
            self._read = self._write = -1
