"""The folder that is a device: its samples, its update, its weights; in use by one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from shared.folder_lock import FolderLock


class DeviceFolder:
    """Where a device keeps things, and the lock on them.

    Attributes:
        path: the folder.
        samples: the sample store.
        cache: what was fetched.
        outbox: the update that has no verdict yet.
        weights: the newest global weights that were good enough.
        session: the number of the last connection.
        learning: the device's own rounds, and whether a person has paused training.
        page_key: the key to the cookies of the page.
        newest_round: the sequence number of the newest round manifest that was followed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = path / "samples.sqlite"
        self.cache = path / "cache"
        self.outbox = path / "outbox"
        self.weights = path / "weights"
        self.session = path / "session"
        self.learning = path / "learning.json"
        self.page_key = path / "page.key"
        self.newest_round = path / "newest-round"
        self._lock = FolderLock(path, holder="device")

    def lock(self) -> None:
        """Make the folder if it is not there, and take it.

        Raises:
            RunError: another process has it.
            StorageError: it cannot be made or written.
        """
        self._lock.__enter__()

    def unlock(self) -> None:
        """Let go of the folder. Safe to call twice."""
        self._lock.__exit__(None, None, None)

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()
