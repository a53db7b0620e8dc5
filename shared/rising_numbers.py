"""Numbers that grow for ever: over restarts, and a clock that was set back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from shared.files import write_bytes


class RisingNumbers:
    """Draws numbers, each greater than all before it.

    A number is the time in milliseconds, or one more than the last if that is greater. Which of them are written down
    (`remember`) is the owner's choice, so that a device without a broker does not wear out its card.

    Args:
        path: the file with the last number.
        clock: Unix time in seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._last: int | None = None

    def next(self) -> int:
        """Return a number greater than any before."""
        if self._last is None:
            self._last = written(self._path)
        self._last = max(self._last + 1, int(self._clock() * 1000))
        return self._last

    def remember(self, number: int) -> None:
        """Write a number down.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        write_bytes(self._path, f"{number}\n".encode())


def written(path: Path) -> int:
    """Return the number in a file; 0 where there is none, or something else is there."""
    try:
        return int(path.read_text(encoding="ascii")[:32])
    except (OSError, ValueError):
        return 0
