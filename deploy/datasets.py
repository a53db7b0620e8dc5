"""Whatever a user calls data: every set that the importers read, and a device's own sample store."""

from __future__ import annotations

import sqlite3
from contextlib import closing
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

    _check_store(path)
    tally = Tally(str(path), "a device's sample store")
    with SampleStore.open(path) as store:
        dataset = store.dataset()
    if labels is not None:
        wanted = dataset.only(labels)
        for label, count in dataset.counts().items():
            if label not in labels:
                tally.leave_out_class(label, count=count)
        dataset = wanted
    return Imported(dataset, tally.report(dataset, labels=labels))


def _check_store(path: Path) -> None:
    """Look before opening: a device sets a damaged store aside and begins another, which is no reader's business."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise DataError(f"{path} is a damaged SQLite file: {error}") from error
    if not sound:
        raise DataError(f"{path} is a damaged SQLite file; start its device once to set it aside")
    if "samples" not in tables:
        raise DataError(f"{path} is an SQLite file but not a device's sample store")


def is_sample_store(path: Path) -> bool:
    """Say whether a file is an SQLite database, by its first bytes."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False
