"""Whatever a user calls data: every set that the importers read, and a device's own sample store."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from shared.datasets import Imported, Progress, open_dataset
from shared.datasets.report import Tally
from shared.errors import DataError
from shared.labels import LabelSet

_SQLITE = b"SQLite format 3\x00"


def open_any(
    path: Path,
    *,
    labels: LabelSet | None = None,
    ink_width_px: float | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read a dataset from a file or folder of any known layout, or from a device's sample store.

    Args:
        path: an npz, a zip, a tar, a folder, or a sample store (SQLite).
        labels: the classes to take; all of them where None.
        ink_width_px: how wide to draw ink that comes as strokes, in pixels of the 45×45 sample.
        progress: told ``(done, total)`` as it goes on.

    Raises:
        DataError: there is nothing there that can be used; the message says why in one line.
    """
    if not is_sample_store(path):
        return open_dataset(path, labels=labels, ink_width_px=ink_width_px, progress=progress)
    from edge_client.sample_store import SampleStore

    tally = Tally(str(path), "a device's sample store")
    try:
        dataset = SampleStore.open(path).dataset()
    except sqlite3.Error as error:
        raise DataError(f"{path} is not a sample store that can be read: {error}") from error
    if labels is not None:
        wanted = dataset.only(labels)
        for label, count in dataset.counts().items():
            if label not in labels:
                tally.leave_out_class(label, count=count)
        dataset = wanted
    return Imported(dataset, tally.report(dataset, labels=labels))


def is_sample_store(path: Path) -> bool:
    """Say whether a file is an SQLite database, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False
