"""Numbered steps of a schema: all of them, once, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.errors import StorageError
from shared.migrations import migrate, steps

FIRST = "-- the first;\nCREATE TABLE a (x TEXT DEFAULT 'one; two');\nCREATE TABLE b (y TEXT);\n"
SECOND = "INSERT INTO b VALUES ('from the second step');\n"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database in memory, in autocommit mode."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


def number(connection: sqlite3.Connection, pragma: str) -> int:
    """A number that SQLite keeps in the file's header."""
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def test_a_database_goes_through_each_step_once(connection: sqlite3.Connection) -> None:
    """New steps follow on those that were taken before; nothing is done twice."""
    migrate(connection, [FIRST], what="database", application_id=7)
    assert (number(connection, "user_version"), number(connection, "application_id")) == (1, 7)
    for _ in range(2):
        migrate(connection, [FIRST, SECOND], what="database", application_id=7)
    assert number(connection, "user_version") == 2
    assert connection.execute("SELECT count(*) FROM b").fetchone() == (1,)


def test_a_step_that_fails_leaves_nothing(connection: sqlite3.Connection) -> None:
    """What the steps before it, and its own first statements, have done is taken back."""
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(connection, [FIRST, SECOND + "INSERT INTO nowhere VALUES (1);"], what="database", application_id=7)
    assert (number(connection, "user_version"), number(connection, "application_id")) == (0, 0)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_a_step_that_lacks_its_end_is_no_step(connection: sqlite3.Connection) -> None:
    """A statement without its semicolon is not passed over in silence."""
    with pytest.raises(ValueError, match="ends within a statement"):
        migrate(connection, [FIRST + "CREATE TABLE c (z TEXT)"], what="database")
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_a_database_of_the_future_is_left_alone(connection: sqlite3.Connection) -> None:
    """The error says which schema it has and what to do."""
    connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StorageError, match=r"database x was written by a later version .*schema 3, this one knows 1"):
        migrate(connection, [FIRST], what="database x")
    assert not connection.in_transaction


@pytest.mark.parametrize("package", ["aggregator.migrations", "edge_client.migrations"])
def test_the_steps_of_both_databases_are_found_in_order(package: str, connection: sqlite3.Connection) -> None:
    """They lie in the package, the first creates tables, and all of them run on an empty database."""
    scripts = steps(package)
    assert "CREATE TABLE" in scripts[0]
    migrate(connection, scripts, what="database")
    assert number(connection, "user_version") == len(scripts) > 0
