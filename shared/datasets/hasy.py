"""HASYv2 (Thoma 2017): 32×32 pictures listed in ``hasy-data-labels.csv`` with their LaTeX and who drew them."""

from __future__ import annotations

import csv
import io
import posixpath
from pathlib import PurePosixPath

import numpy as np

from shared.dataset import Dataset, writer_name
from shared.datasets.members import Members, UnreadableError
from shared.datasets.pictures import PictureEntry, read_pictures
from shared.datasets.report import Progress, Tally
from shared.errors import DataError
from shared.labels import LabelSet, canonical_label

LAYOUT = "HASYv2"

TABLE = "hasy-data-labels.csv"
"""The file that makes a source HASYv2."""

MISSING = "listed in the table but not there"


def table_of(names: list[str]) -> str | None:
    """Return the name of the set's table, the one nearest the top; None where there is none."""
    tables = [name for name in names if PurePosixPath(name).name == TABLE]
    return min(tables, key=lambda name: (name.count("/"), name)) if tables else None


def read_hasy(
    members: Members, table: str, *, labels: LabelSet | None, tally: Tally, progress: Progress | None = None
) -> Dataset:
    """Read the pictures that the table lists; ``user_id`` is the writer.

    Raises:
        DataError: the table cannot be read, or lacks a column.
    """
    try:
        text = members.read(table).decode("utf-8-sig", "replace")
    except UnreadableError as error:
        raise DataError(f"{tally.source}: {table} is {error}") from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    columns = rows.fieldnames or []
    lacking = [column for column in ("path", "latex") if column not in columns]
    if lacking:
        raise DataError(
            f"{tally.source}: {table} lacks the column {lacking[0]!r} (it has {', '.join(columns) or 'none'})"
        )
    there = set(members.names)
    folder = str(PurePosixPath(table).parent)
    entries = []
    try:
        for row in rows:
            name = posixpath.normpath(posixpath.join(folder, row["path"] or ""))
            label = canonical_label(row["latex"] or "")
            if labels is not None and label not in labels:
                tally.leave_out_class(label)
            elif name not in there:
                tally.leave_out(MISSING, row["path"] or f"line {rows.line_num}")
            else:
                entries.append(PictureEntry(name, label, writer_name(row.get("user_id") or "")))
    except csv.Error as error:
        raise DataError(f"{tally.source}: {table} line {rows.line_num}: {error}") from error
    if not entries:
        return Dataset(np.zeros((0, 45, 45), np.uint8), np.empty(0, np.str_), np.empty(0, np.str_))
    return read_pictures(members, entries, tally=tally, progress=progress)
