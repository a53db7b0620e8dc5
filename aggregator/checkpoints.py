"""The weights of the last rounds, as safetensors files."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from shared.errors import StorageError
from shared.files import write_bytes
from shared.tensors import sha256_of

_NAME = re.compile(r"round-(\d{6,})\.safetensors\Z")


class Checkpoints:
    """A folder with one file for each round kept: ``round-000007.safetensors``; round 0 has the first weights.

    Args:
        folder: made when it is first written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, round_number: int) -> Path:
        """Where a round's weights lie."""
        return self._folder / f"round-{round_number:06d}.safetensors"

    def put(self, round_number: int, data: bytes) -> None:
        """Keep a round's weights.

        Raises:
            StorageError: they cannot be written; nothing of them is left behind.
        """
        write_bytes(self.path(round_number), data)

    def read(self, round_number: int, *, sha256: str) -> bytes:
        """Return a round's weights.

        Raises:
            StorageError: they are not there, or are not those that were committed.
        """
        path = self.path(round_number)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"cannot read the weights {path}: {error.strerror or error}") from error
        if sha256_of(data) != sha256:
            raise StorageError(f"the weights {path} are damaged: expected sha256 {sha256[:12]}, got another")
        return data

    def rounds(self) -> list[int]:
        """Return the rounds whose weights are there, the newest first.

        Raises:
            StorageError: the folder cannot be read.
        """
        try:
            names = [file.name for file in self._folder.iterdir()] if self._folder.is_dir() else []
        except OSError as error:
            raise StorageError(f"cannot read the checkpoints {self._folder}: {error.strerror or error}") from error
        return sorted((int(match[1]) for match in map(_NAME.match, names) if match), reverse=True)

    def newest(self) -> int | None:
        """Return the newest round whose weights are there; None if there are none."""
        return next(iter(self.rounds()), None)

    def keep_only(self, rounds: Collection[int]) -> None:
        """Remove the weights of all other rounds. Whatever else is in the folder stays: it may be what `put` writes.

        Raises:
            StorageError: a file cannot be removed.
        """
        try:
            for file in self._folder.iterdir() if self._folder.is_dir() else ():
                match = _NAME.match(file.name)
                if match is not None and int(match[1]) not in rounds:
                    file.unlink()
        except OSError as error:
            raise StorageError(f"cannot clear the checkpoints {self._folder}: {error.strerror or error}") from error
