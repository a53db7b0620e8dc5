"""Accepted updates on disk, until their round is committed."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from aggregator.engine import Contribution
from shared.crash_points import reach
from shared.errors import StorageError
from shared.files import write_bytes


class Spool:
    """A folder with one file for each update: ``{round}/{device}.{sha256}.safetensors``.

    Writing is atomic and reaches the disk before it returns, so that an update that was told ``accepted`` is there
    after a crash. An update that comes late may be written while the spool is cleared, by another thread: one waits for
    the other.

    Args:
        folder: of the spool; made when it is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()

    def path(self, *, round_number: int, device: str, sha256: str) -> Path:
        """Where an update lies."""
        return self._folder / f"{round_number:06d}" / f"{device}.{sha256}.safetensors"

    def put(self, data: bytes, *, round_number: int, device: str, sha256: str) -> None:
        """Keep an update.

        Raises:
            StorageError: it cannot be written; nothing of it is left behind.
        """
        with self._changing:
            write_bytes(self.path(round_number=round_number, device=device, sha256=sha256), data)

    def updates(self, contributions: Iterable[Contribution], *, round_number: int) -> SpooledUpdates:
        """Open the updates of a round for aggregation."""
        entries = sorted(contributions)
        paths = [self.path(round_number=round_number, device=e.device, sha256=e.sha256) for e in entries]
        return SpooledUpdates(entries, paths)

    def keep_only(self, contributions: Iterable[Contribution], *, round_number: int) -> None:
        """Remove all but these updates: what a crash, or a round that is committed, left behind.

        Raises:
            StorageError: the folder cannot be changed.
        """
        wanted = {self.path(round_number=round_number, device=c.device, sha256=c.sha256) for c in contributions}
        try:
            with self._changing:
                for folder in self._folder.iterdir() if self._folder.is_dir() else ():
                    if folder.name == f"{round_number:06d}":
                        for file in folder.iterdir():
                            if file not in wanted:
                                file.unlink()
                    else:
                        shutil.rmtree(folder)
        except OSError as error:
            raise StorageError(f"cannot clear the spool {self._folder}: {error.strerror or error}") from error


class SpooledUpdates:
    """The updates of a round, read from their files one tensor at a time (`aggregator.aggregation.Updates`).

    A file is opened for each tensor and mapped into memory: no more is read than is asked for, and no more files are
    open than one, however many updates there are.
    """

    def __init__(self, contributions: list[Contribution], paths: list[Path]) -> None:
        self._contributions = contributions
        self._paths = paths

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(entry.device for entry in self._contributions)

    @property
    def samples(self) -> tuple[int, ...]:
        return tuple(entry.samples for entry in self._contributions)

    def tensor(self, position: int, name: str) -> NDArray[np.float32]:
        """Read one parameter of one update.

        Raises:
            StorageError: the file is gone or damaged.
        """
        reach("averaging")
        path = self._paths[position]
        try:
            with safe_open(path, framework="numpy") as file:
                tensor: NDArray[np.float32] = file.get_tensor(name)
        except Exception as error:  # the library raises its own kind beside OSError
            raise StorageError(f"cannot read the update {path}: {error}") from error
        return tensor
