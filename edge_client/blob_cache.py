"""Blobs on the disk, by their hash: what was fetched once is not fetched again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from shared.errors import StorageError
from shared.files import write_bytes

DEFAULT_MAX_BYTES = 64 * 1024 * 1024

MOST_BLOBS = 64
"""So many blobs at most, however small: every one is looked at whenever another comes. A round needs four."""


class BlobCache:
    """A folder of files named by the SHA-256 of what they hold; bounded; the least recently used leave first.

    Args:
        folder: made when the first blob comes.
        max_bytes: how much it keeps in all, in no more than `MOST_BLOBS` files. What is protected is kept even so.
    """

    def __init__(self, folder: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    def __contains__(self, sha256: object) -> bool:
        return isinstance(sha256, str) and (self._folder / sha256).is_file()

    def get(self, sha256: str) -> bytes | None:
        """Return a blob, or None if it is not there; a file whose bytes have another hash is deleted.

        Raises:
            StorageError: the file cannot be read.
        """
        path = self._folder / sha256
        try:
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == sha256:
                os.utime(path)
                return data
            path.unlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from None
        return None

    def put(self, sha256: str, data: bytes, *, protect: Collection[str] = ()) -> None:
        """Keep a blob, whole or not at all; others leave if there are too many.

        Args:
            sha256: of the data; the caller has checked it.
            data: the blob.
            protect: hashes of blobs that must not leave now.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        self._make_room(len(data), protect={sha256, *protect})
        write_bytes(self._folder / sha256, data)

    def _make_room(self, size_bytes: int, *, protect: Collection[str]) -> None:
        try:
            with os.scandir(self._folder) as entries:
                found = [(entry.stat(), entry.name) for entry in entries if entry.is_file()]
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"cannot read the folder {self._folder}: {error.strerror or error}") from None
        files = sorted((stat.st_mtime_ns, name, stat.st_size) for stat, name in found)
        total, count = size_bytes + sum(size for _, _, size in files), 1 + len(files)
        for _, name, size in files:
            if total <= self._max_bytes and count <= MOST_BLOBS:
                return
            if name not in protect:
                (self._folder / name).unlink(missing_ok=True)
                total, count = total - size, count - 1
