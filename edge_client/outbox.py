"""The update on the disk until there is a verdict on it, and the last verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from edge_client.agent_effects import Answer, RoundKey
from shared.errors import BlockedError, StorageError
from shared.files import write_bytes
from shared.messages import MessageModel, Name, Sha256, UpdateManifest
from shared.tensors import sha256_of

_UPDATE = "update.json"
_ANSWER = "answer.json"
_SUFFIX = ".safetensors"

M = TypeVar("M", bound=MessageModel)


class _StoredAnswer(MessageModel):
    run: Name
    round: int
    base: Sha256
    attempt: int
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Kept:
    """What a restart finds: the update that has no verdict yet with its bytes, and the last verdict."""

    update: UpdateManifest | None
    blob: bytes
    answer: Answer | None


class Outbox:
    """At most one update, and the last verdict; every change is atomic, so that a crash loses at most the newest step.

    Args:
        folder: made when the first update comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, update: UpdateManifest, blob: bytes) -> None:
        """Keep an update in place of the one before: first its bytes, then the manifest that makes them count.

        Raises:
            StorageError: the disk is full, or the folder cannot be written; the one before may be gone.
        """
        self._delete(keep=update.blob.sha256 + _SUFFIX)
        write_bytes(self._folder / (update.blob.sha256 + _SUFFIX), blob)
        write_bytes(self._folder / _UPDATE, update.encode())

    def settle(self, answer: Answer | None) -> None:
        """Keep the verdict, if there is one, and delete the update.

        Raises:
            StorageError: the folder cannot be written. The update is gone nevertheless: after a restart the verdict is
                had again, by the same update trained again.
        """
        if answer is not None:
            stored = _StoredAnswer(
                run=answer.key.run,
                round=answer.key.round,
                base=answer.key.base,
                attempt=answer.attempt,
                verdict=answer.verdict,
                reason=answer.reason,
            )
            try:
                write_bytes(self._folder / _ANSWER, stored.encode())
            except BlockedError:
                # The disk is full: without the update there is room for a line.
                self._delete(keep="")
                write_bytes(self._folder / _ANSWER, stored.encode())
        self._delete(keep="")

    def load(self) -> Kept:
        """Return what is kept. An update whose bytes are lacking or damaged is deleted: it will be trained again.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        update = self._load(_UPDATE, UpdateManifest)
        blob = b""
        if update is not None:
            blob = self._read(update.blob.sha256 + _SUFFIX) or b""
            if sha256_of(blob) != update.blob.sha256:
                update, blob = None, b""
        if update is None:
            self._delete(keep="")
        stored = self._load(_ANSWER, _StoredAnswer)
        answer = None
        if stored is not None:
            key = RoundKey(stored.run, stored.round, stored.base)
            answer = Answer(key, stored.attempt, stored.verdict, stored.reason)
        return Kept(update, blob, answer)

    def _load(self, name: str, kind: type[M]) -> M | None:
        data = self._read(name)
        if data is None:
            return None
        try:
            return kind.model_validate_json(data)
        except ValidationError:
            return None

    def _read(self, name: str) -> bytes | None:
        path = self._folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror or error}") from None

    def _delete(self, *, keep: str) -> None:
        """Delete the update: the manifest first, so that no manifest ever names bytes that are gone."""
        try:
            (self._folder / _UPDATE).unlink(missing_ok=True)
            for path in self._folder.glob(f"*{_SUFFIX}"):
                if path.name != keep:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot delete in {self._folder}: {error.strerror or error}") from None
