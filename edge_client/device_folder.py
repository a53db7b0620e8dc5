"""The folder that is a device: its samples, its update, its weights; in use by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from shared.errors import StorageError


class DeviceFolder:
    """Where a device keeps things, and the lock on them.

    Attributes:
        path: the folder.
        samples: the sample store.
        cache: what was fetched.
        outbox: the update that has no verdict yet.
        weights: the newest global weights that were good enough.
        session: the number of the last connection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = path / "samples.sqlite"
        self.cache = path / "cache"
        self.outbox = path / "outbox"
        self.weights = path / "weights"
        self.session = path / "session"
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folder if it is not there, and take it.

        Raises:
            StorageError: another process has it, or it cannot be made.
        """
        file = self.path / "lock"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(f"cannot use the folder {self.path}: {error.strerror or error}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StorageError(
                f"the folder {self.path} is in use by another device{f' (process {owner})' if owner else ''}: "
                "stop it, or give this one a folder of its own"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def unlock(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()
