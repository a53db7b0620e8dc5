"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from shared.errors import StorageError


@contextmanager
def write_atomically(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Open a file for bytes that takes the place of ``path`` only when the block ends well.

    The bytes go to a temporary file beside it, are flushed to the disk, and the file is renamed: a reader, or a
    machine that loses power, sees the old file or the new one, never a part.

    Args:
        path: the file.
        mode: its permissions. Until the rename only its owner can read it, whatever the umask is.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).rename(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all, with these permissions.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    with write_atomically(path, mode=mode) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
