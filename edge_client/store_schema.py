"""The sample store's file: recognised, brought up to date by numbered steps, told from a broken one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from edge_client.salvage import salvage
from shared.errors import BlockedError, StorageError
from shared.migrations import migrate, steps

APPLICATION_ID = 0x496E6B53
"""Marks a SQLite file as a sample store: "InkS", at offset 68 of the file."""

_MAGIC = b"SQLite format 3\x00"
_STEPS = "edge_client.migrations"


class BrokenStoreError(Exception):
    """The file is a sample store, and damaged."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a store's file, made if it is not there, with the newest schema.

    Raises:
        StorageError: the file is something else, of a newer Inkfleet, or cannot be opened.
        BrokenStoreError: it is a store whose pages are damaged.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a sample store; name a file")
    ours = _is_store(path)
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10.0)
        _refuse_other_programs(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        # Every change reaches the file itself, and the disk: a correction is a person's work, and there are few.
        connection.execute("PRAGMA wal_autocheckpoint = 1")
        if ours and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise BrokenStoreError("its pages contradict each other")
        migrate(connection, steps(_STEPS), what=f"sample store {path}", application_id=APPLICATION_ID)
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if ours and not isinstance(error, sqlite3.OperationalError):
            raise BrokenStoreError(str(error)) from None
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BlockedError(f"cannot open the sample store {path}: another process holds it") from None
        raise StorageError(f"cannot open the sample store {path}: {error}") from None
    except (BrokenStoreError, StorageError):
        if connection is not None:
            connection.close()
        raise
    return connection


def _is_store(path: Path) -> bool:
    """Return whether a SQLite file is there already; False where nothing is.

    Raises:
        BrokenStoreError: its beginning is no store's, and there are samples in it.
        StorageError: something else is there.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"cannot read the sample store {path}: {error.strerror or error}") from None
    if not header:
        return False
    if not header.startswith(_MAGIC):
        if salvage(path):
            raise BrokenStoreError("its beginning was overwritten")
        raise StorageError(f"{path} is not a sample store: move it away, or name another file")
    return True


def _refuse_other_programs(connection: sqlite3.Connection, path: Path) -> None:
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    if mark == APPLICATION_ID:
        return
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if mark != 0 or tables:
        raise StorageError(f"{path} is a SQLite file of another program: move it away, or name another file")
