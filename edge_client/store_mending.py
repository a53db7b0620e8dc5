"""A damaged store's successor: another file in its place, with the samples that are whole in the damaged one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple
from pathlib import Path

from edge_client.salvage import Salvaged, salvage
from edge_client.store_schema import BrokenStoreError, connect
from shared.errors import StorageError
from shared.files import unfinished
from shared.set_aside import set_aside


def begin_anew(path: Path, *, fault: str) -> tuple[sqlite3.Connection, str]:
    """Set a damaged store aside, and put one in its place that has what can be read of it.

    Args:
        path: the store's file.
        fault: what is wrong with it, for a person.

    Returns:
        The new store, and what a person is to know.

    Raises:
        StorageError: the new store cannot be written (there is no room for it, say), or put in its place; the damaged
            one is there then, for the next start.
    """
    # Made aside and whole before the damaged one moves: whenever this ends, the samples are in one of the two.
    successor = unfinished(path)
    try:
        found = salvage(path)
        _write(successor, found)
        kept = set_aside(path, stamp=time.strftime("%Y%m%d-%H%M%S"))
        successor.rename(path)
        connection = connect(path)
    except (sqlite3.Error, OSError, StorageError, BrokenStoreError) as error:
        raise StorageError(f"the sample store {path} is damaged ({fault}), and cannot be mended now: {error}") from None
    where = f"kept as {kept.name}; " if kept is not None else ""
    said = f"the sample store {path} is damaged ({fault}): {where}{len(found):,} samples of it are whole"
    return connection, f"{said} and are used, any others are lost" if found else f"{said}, a new one is begun"


def _write(successor: Path, samples: Sequence[Salvaged]) -> None:
    """Make a store with these samples; nothing is left of it where that fails."""
    files = [successor.with_name(successor.name + beside) for beside in ("", "-wal", "-shm")]
    try:
        for file in files:
            file.unlink(missing_ok=True)
        with closing(connect(successor)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO samples (id, digest, image, label, writer, source, added_unix_s, corrected)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (astuple(sample) for sample in samples),
            )
            connection.execute("COMMIT")
    except BaseException:
        for file in files:
            if file.is_file():
                file.unlink()
        raise
