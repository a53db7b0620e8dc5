"""A folder that belongs to one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.errors import RunError, StorageError


class FolderLock:
    """Holds a folder for this process; a process that dies lets go of it.

    A context manager. The lock file stays, and says which process took it last, and what that is: where it is removed,
    two processes can each hold a file of its name.

    Args:
        folder: made if it is not there.
        holder: what takes it, for the message to others: ``aggregator``.
        option: with which another folder is named, for the message.
    """

    def __init__(self, folder: Path, *, holder: str, option: str = "--folder") -> None:
        self._folder = folder
        self._holder = holder
        self._option = option
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            RunError: another process has it.
            StorageError: the folder cannot be made or written.
        """
        descriptor = -1
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            with contextlib.suppress(OSError):  # that is for people; on a full disk the lock holds without it
                os.pwrite(descriptor, f"{os.getpid()} {self._holder}".encode(), 0)
        except BlockingIOError:
            number, _, other = os.pread(descriptor, 100, 0).decode(errors="replace").partition(" ")
            os.close(descriptor)
            by = f"another {self._holder}" if other in ("", self._holder) else f"its {other}"
            process = f" (process {number})" if number.isdigit() else ""
            raise RunError(
                f"folder {self._folder} is in use by {by}{process}; stop that one, or take another {self._option}"
            ) from None
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            raise StorageError(f"cannot use folder {self._folder}: {error.strerror or error}") from error
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the folder. Safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
