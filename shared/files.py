"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shared.errors import BlockedError, StorageError

_UNFINISHED = ".unfinished"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""What the system says where room on the disk would mend it."""


@contextmanager
def write_atomically(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a file for bytes that takes the place of ``path`` only when the block ends well.

    The bytes go to a temporary file beside it, are flushed to the disk, and the file is renamed: a reader, or a
    machine that loses power, sees the old file or the new one, never a part.

    Args:
        path: the file.
        mode: its permissions. Until the rename only its owner can read it, whatever the umask is.

    Raises:
        BlockedError: the disk is full.
        StorageError: the folder cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).rename(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise storage_error(f"cannot write {path}", error) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, with these permissions.

    Raises:
        BlockedError: the disk is full.
        StorageError: the folder cannot be written.
    """
    with write_atomically(path, mode=mode) as file:
        file.write(data)


def storage_error(doing: str, error: OSError) -> StorageError:
    """Put a failure to write into words: ``doing`` and why; a `BlockedError` where room on the disk would mend it."""
    kind = BlockedError if error.errno in NO_ROOM else StorageError
    return kind(f"{doing}: {error.strerror or error}")


def unfinished(path: Path) -> Path:
    """Name the file beside ``path`` under which another program writes what is to take its place.

    It is removed, with what that program keeps beside it, by `remove_unfinished`.
    """
    return path.with_name(f".{path.name}{_UNFINISHED}")


def remove_unfinished(*folders: Path) -> int:
    """Remove what writes left behind in these folders when their process was killed; return how many files.

    Call it only where nobody else can be writing: by the holder of the folders' lock, before it writes itself.
    """
    removed = 0
    for folder in folders:
        for file in folder.glob(f".*{_UNFINISHED}*"):
            file.unlink(missing_ok=True)
            removed += 1
    return removed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
