"""The schema of an SQLite database: numbered steps, only ever added to.

The steps are files ``NNNN_what.sql`` of a package. ``PRAGMA user_version`` is the number of steps that a database has
been through. A step that has been released is never changed: a later one mends it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib import resources

from shared.errors import StorageError

_STEP = re.compile(r"\d{4}_\w+\.sql")


def steps(package: str) -> tuple[str, ...]:
    """Return the scripts of a package's steps, in order."""
    found = (entry for entry in resources.files(package).iterdir() if _STEP.fullmatch(entry.name))
    return tuple(entry.read_text(encoding="utf-8") for entry in sorted(found, key=lambda entry: entry.name))


def migrate(
    connection: sqlite3.Connection, scripts: Sequence[str], *, what: str, application_id: int | None = None
) -> None:
    """Take a database through the steps that it has not been through, all of them or none.

    Args:
        connection: in autocommit mode, outside a transaction.
        scripts: see `steps`.
        what: the database in an error's words: ``database /data/a.sqlite3``.
        application_id: the mark that a new database is given (``PRAGMA application_id``); None for none.

    Raises:
        StorageError: the database was written by a later version.
        sqlite3.Error: it cannot be read or written.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > len(scripts):
            raise StorageError(
                f"{what} was written by a later version of Inkfleet (schema {version}, "
                f"this one knows {len(scripts)}); update Inkfleet"
            )
        for script in scripts[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        if version < len(scripts):
            if application_id is not None:
                connection.execute(f"PRAGMA application_id = {application_id}")
            connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except BaseException:
        # A full disk ends the transaction by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements: `executescript` would commit the transaction that must hold them all."""
    current = ""
    for line in script.splitlines():
        if line.lstrip().startswith("--"):
            continue
        current += line + "\n"
        if sqlite3.complete_statement(current):
            yield current.strip()
            current = ""
    if current.strip():
        raise ValueError(f"a step ends within a statement: {current.strip()!r}")
