"""One aggregator in one folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import RunError, StorageError


class FolderLock:
    """Holds a folder for this process; a process that dies lets go of it.

    A context manager. The lock file stays, and holds the number of the process that took it last.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            RunError: another aggregator has it.
            StorageError: the folder cannot be made or written.
        """
        path = self._folder / "lock"
        descriptor = -1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            by = f" (process {holder})" if holder.isdigit() else ""
            raise RunError(
                f"folder {self._folder} is in use by another aggregator{by}; stop that one, or take another --folder"
            ) from None
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            raise StorageError(f"cannot use folder {self._folder}: {error.strerror or error}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
