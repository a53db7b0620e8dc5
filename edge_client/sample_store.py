"""The device's own samples: what it saw, what a person said it was. They never leave the device.

One SQLite file. A sample's identity is the SHA-256 of its pixels and its label, so that the same picture with the same
label is stored once; every order that leaves the store is the order of these digests, so that it never depends on when
a sample was added.

Samples come in two ways. `SampleStore.add` takes whole datasets as they are, fast, and asks no more than that none is
there already. `SampleStore.correct` takes what a person has said about a few pictures: that word replaces an older one
about the same picture, and a picture that is nearly one already there is not stored again.
"""

from __future__ import annotations

import io
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_client.sample_digest import digest_of, digest_of_bytes
from edge_client.sample_rows import datasets, everything_in, fractions, has_alike, sources
from edge_client.store_cap import enforce_cap
from edge_client.store_mending import begin_anew
from edge_client.store_schema import BrokenStoreError, connect
from shared.dataset import Dataset
from shared.errors import StorageError
from shared.labels import LabelSet
from shared.sample import SIDE, Sample
from shared.set_aside import copies

DEFAULT_MAX_SAMPLES = 20_000
"""About 45 MB on disk, and as much in memory while it is trained on."""


@dataclass(frozen=True)
class Added:
    """What became of samples that were offered to the store.

    Attributes:
        added: how many are new.
        known: how many were there already, or twice in what was offered.
        left: how many samples, old or new, left so that the cap holds.
        alike: how many corrections were nearly a sample with the same label, and were not stored.
        replaced: how many samples had the same picture as a correction and another label, and are gone.
    """

    added: int
    known: int
    left: int
    alike: int = 0
    replaced: int = 0


@dataclass(frozen=True)
class StoredSample:
    """One sample as it is listed.

    Attributes:
        number: its name in this store; never given twice.
        label: what it is.
        writer: who wrote it; empty if nobody knows.
        source: where it came from, for people.
        added_unix_s: when it was added, Unix time in seconds.
        corrected: whether a person said here what it is.
    """

    number: int
    label: str
    writer: str
    source: str
    added_unix_s: float
    corrected: bool


class SampleStore:
    """A device's samples. Methods may be called from any thread. Made by `SampleStore.open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, max_samples: int, notice: str) -> None:
        self.path = path
        self.notice = notice
        """What a person should know about how the file was opened; empty if nothing."""
        self._connection = connection
        self._max_samples = max_samples
        self._lock = threading.RLock()

    @classmethod
    def open(cls, path: Path, *, max_samples: int = DEFAULT_MAX_SAMPLES) -> Self:
        """Open a store, or make one.

        A damaged store is renamed, never deleted; another takes its place, with the samples that are whole in the
        damaged one (`edge_client.salvage`), and `notice` says so.

        Args:
            path: the SQLite file.
            max_samples: how many samples it keeps; 0 for no limit. See `add`.

        Raises:
            StorageError: the file is no store, of a newer schema, or cannot be opened or made.
        """
        notice = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make the folder {path.parent}: {error.strerror or error}") from None
        try:
            connection = connect(path)
        except BrokenStoreError as error:
            connection, notice = begin_anew(path, fault=str(error))
        return cls(path, connection, max_samples=max_samples, notice=notice)

    def close(self) -> None:
        """Let go of the file. Nothing can be asked of the store afterwards."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM samples").fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Count the samples of each label, most first, ties in the order of the labels."""
        with self._reading() as connection:
            return dict(
                connection.execute("SELECT label, count(*) FROM samples GROUP BY label ORDER BY count(*) DESC, label")
            )

    def add(self, dataset: Dataset, *, source: str, clock: Callable[[], float] = time.time) -> Added:
        """Store samples, all of them or, if anything fails, none.

        Where the store then holds more than its cap, the oldest samples of the most frequent label leave first, again
        and again, so that rare labels are the last to lose any. Ties lose in the order of the labels; of a label's
        samples, corrections leave last.

        Args:
            dataset: canonical samples.
            source: where they came from, for people: a file's name, ``camera``, ``canvas``.
            clock: Unix time in seconds.

        Raises:
            StorageError: the disk is full, or the file cannot be written; nothing was added.
        """
        now = clock()
        with self._writing() as connection:
            before = connection.total_changes
            connection.executemany(
                "INSERT INTO samples (digest, image, label, writer, source, added_unix_s) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (digest) DO NOTHING",
                _rows(dataset, source, now),
            )
            added = connection.total_changes - before
            left = enforce_cap(connection, max_samples=self._max_samples)
        return Added(added=added, known=len(dataset) - added, left=left)

    def correct(
        self,
        samples: Sequence[tuple[Sample, str]],
        *,
        writer: str,
        source: str,
        clock: Callable[[], float] = time.time,
    ) -> Added:
        """Store what a person says that pictures are, all of it or, if anything fails, nothing.

        The newest word about a picture counts: samples with the same pixels and another label go. A picture that is
        nearly one that the store has with the same label (see `edge_client.near_duplicates`) is not stored. What else
        is stored counts as ``added`` even where a dataset had brought the very same sample: it becomes a correction.
        What becomes of several corrections at once does not depend on their order, but for two words about one picture.

        Args:
            samples: pictures ``(45, 45) uint8``, ink 255 on paper 0, and labels.
            writer: whose handwriting it is.
            source: where the pictures came from, for people: ``camera``, ``canvas``, ``photo``.
            clock: Unix time in seconds.

        Raises:
            StorageError: the disk is full, or the file cannot be written; nothing was stored.
        """
        now = clock()
        last_word = {np.ascontiguousarray(image).tobytes(): label for image, label in samples}
        ordered = sorted((digest_of_bytes(pixels, label), pixels, label) for pixels, label in last_word.items())
        added = alike_ones = replaced = 0
        with self._writing() as connection:
            labels = [label for (label,) in connection.execute("SELECT DISTINCT label FROM samples")]
            for digest, pixels, label in ordered:
                others = [digest_of_bytes(pixels, other) for other in labels if other != label]
                for other in others:
                    replaced += connection.execute("DELETE FROM samples WHERE digest = ?", (other,)).rowcount
                kept = connection.execute("SELECT corrected FROM samples WHERE digest = ?", (digest,)).fetchone()
                if kept is not None:
                    added += not kept[0]
                    connection.execute("UPDATE samples SET corrected = 1 WHERE digest = ?", (digest,))
                elif has_alike(connection, pixels, label):
                    alike_ones += 1
                else:
                    connection.execute(
                        "INSERT INTO samples (digest, image, label, writer, source, added_unix_s, corrected)"
                        " VALUES (?, ?, ?, ?, ?, ?, 1)",
                        (digest, pixels, label, writer, source, now),
                    )
                    added += 1
            left = enforce_cap(connection, max_samples=self._max_samples)
        return Added(added, len(samples) - added - alike_ones, left, alike_ones, replaced)

    def delete(self, number: int) -> bool:
        """Delete one sample by its number; return whether there was one."""
        with self._writing() as connection:
            return connection.execute("DELETE FROM samples WHERE id = ?", (number,)).rowcount == 1

    def delete_all(self) -> int:
        """Delete every sample, wipe their pages from the file, and delete damaged stores that were set aside.

        Returns:
            How many samples there were in the store.

        Raises:
            StorageError: a file cannot be written, or a damaged store cannot be deleted.
        """
        with self._writing() as connection:
            deleted = connection.execute("DELETE FROM samples").rowcount
        with self._reading() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for damaged in copies(self.path):
            try:
                damaged.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(f"cannot delete the damaged store {damaged}: {error.strerror or error}") from None
        return deleted

    def samples(self, *, label: str | None = None, offset: int = 0, limit: int = 100) -> list[StoredSample]:
        """List samples, the newest first.

        Args:
            label: only samples of this label; of all if None.
            offset: so many are passed over.
            limit: at most so many are listed.
        """
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, label, writer, source, added_unix_s, corrected FROM samples"
                f"{'' if label is None else ' WHERE label = :label'} ORDER BY id DESC LIMIT :limit OFFSET :offset",
                {"label": label, "limit": max(0, limit), "offset": max(0, offset)},
            )
            return [
                StoredSample(number, name, writer, source, added_unix_s, bool(corrected))
                for number, name, writer, source, added_unix_s, corrected in rows
            ]

    def image(self, number: int) -> Sample | None:
        """Return the picture of one sample, ``(45, 45) uint8``, ink 255 on paper 0; None if there is no such sample."""
        with self._reading() as connection:
            row = connection.execute("SELECT image FROM samples WHERE id = ?", (number,)).fetchone()
        return None if row is None else np.frombuffer(row[0], np.uint8).reshape(SIDE, SIDE)

    def export(self) -> bytes:
        """Pack every sample into an npz for its owner, in the order of the digests; the same samples, the same bytes.

        The arrays are those of `Dataset.save`, which the importers read, and ``source``, ``(n,) str``.
        """
        with self._snapshot() as connection:
            everything, source = everything_in(connection), sources(connection)
        packed = io.BytesIO()
        np.savez_compressed(packed, X=everything.images, y=everything.labels, writer=everything.writers, source=source)
        return packed.getvalue()

    def dataset(self) -> Dataset:
        """Return every sample, in the order of the digests."""
        with self._snapshot() as connection:
            return everything_in(connection)

    def split(self, *, holdout: float, labels: LabelSet | None = None) -> tuple[Dataset, Dataset]:
        """Return the samples to train on and those held out, each in the order of the digests.

        A sample is held out if its digest, read as a fraction of its range, is below ``holdout``: what was held out
        once is never trained on later, whatever is added. Where that would leave nothing to train on, nothing is held
        out.

        Args:
            holdout: about this fraction is held out, 0 ≤ holdout < 1.
            labels: only samples with one of these labels; all if None.
        """
        with self._snapshot() as connection:
            held = self._held(connection, holdout, labels)
            training, kept_out = datasets(connection, labels, [~held, held])
        return training, kept_out

    def held_out(self, *, holdout: float, labels: LabelSet | None = None) -> Dataset:
        """Return the samples that `split` holds out, without the others."""
        with self._snapshot() as connection:
            return datasets(connection, labels, [self._held(connection, holdout, labels)])[0]

    def _held(self, connection: sqlite3.Connection, holdout: float, labels: LabelSet | None) -> NDArray[np.bool_]:
        if not 0 <= holdout < 1:
            raise ValueError(f"expected 0 <= holdout < 1, got {holdout}")
        held: NDArray[np.bool_] = fractions(connection, labels) < holdout
        if held.all():
            held[:] = False
        return held

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StorageError(f"sample store {self.path}: {_in_words(error)}") from None

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """All that is read within is of one moment."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def _in_words(error: sqlite3.Error) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another process holds it; nothing was changed, try again"
    if code == sqlite3.SQLITE_CORRUPT:
        return f"{error}; it is mended as far as it can be when the device is started again"
    return str(error)


def _rows(dataset: Dataset, source: str, now: float) -> Iterator[tuple[bytes, bytes, str, str, str, float]]:
    for image, label, writer in zip(dataset.images, dataset.labels, dataset.writers, strict=True):
        yield digest_of(image, str(label)), image.tobytes(), str(label), str(writer), source, now
