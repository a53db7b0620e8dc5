"""The aggregator's database: runs, rounds, contributions and metrics (SQLite in WAL mode)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aggregator.engine import Contribution, OpenRound, PublishRound, Rest, ResumePoint
from aggregator.patience import NoPatience, Patience
from shared.errors import BlockedError, StorageError
from shared.messages import UpdateManifest
from shared.migrations import migrate, steps

DATABASE = "aggregator.sqlite3"
"""The name of the database in an aggregator's folder."""

# How long a statement waits for another process that holds the database; then it is said, and tried again.
_BUSY_S = 1.0


class DamagedError(StorageError):
    """What is in the database cannot be trusted."""


@dataclass(frozen=True)
class RunRecord:
    """A run as it was started.

    Attributes:
        finished: whether all its rounds are committed.
        settings: those that the result depends on.
    """

    run: str
    finished: bool
    model_sha256: str
    first_weights_sha256: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class CommittedRound:
    """A round whose weights are durable.

    Attributes:
        cost: what was measured of it, but for the evaluation.
    """

    round: int
    weights_sha256: str
    cost: dict[str, Any]


class Store:
    """Keeps what a run needs to go on after a crash. One thread uses it.

    A method that writes returns when the change is on the disk, whole; a crash leaves all of it or nothing.

    Args:
        path: of the database file.
        patience: for a disk that is full, or another process that holds the database; without it, either is an error.
    """

    def __init__(self, path: Path, *, patience: Patience | None = None) -> None:
        self._path = path
        self._patience = patience or NoPatience()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Open the database, and bring its schema up to date.

        Raises:
            DamagedError: its pages contradict each other, or it is no database.
            StorageError: it cannot be opened, or was written by a later version.
        """
        with self._guard("open"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_S)
            self._connection = connection
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                # Every change reaches the database file itself: where the -wal file beside it is lost, nothing is.
                connection.execute("PRAGMA wal_autocheckpoint = 1")
                if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    raise DamagedError(f"the database {self._path} is damaged: its pages contradict each other")
                migrate(connection, steps("aggregator.migrations"), what=f"database {self._path}")
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def begin_run(self, record: RunRecord, *, now_unix_s: float) -> None:
        """Record a new run."""
        self._write(
            "INSERT INTO runs (run, started_unix_s, model_sha256, first_weights_sha256, settings) VALUES (?,?,?,?,?)",
            (record.run, now_unix_s, record.model_sha256, record.first_weights_sha256, _dump(record.settings)),
        )

    def begin_recovered_run(
        self,
        record: RunRecord,
        rounds: Sequence[CommittedRound],
        *,
        metrics: Mapping[int, dict[str, Any]],
        roster: Sequence[str],
        now_unix_s: float,
    ) -> None:
        """Record a run some of whose rounds were committed under another name, whole or not at all.

        Args:
            record: the run.
            rounds: its committed ones.
            metrics: their lines, by the round.
            roster: the devices that were there in the last round.
            now_unix_s: Unix time in seconds.
        """
        with self._guard("write") as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self.begin_run(record, now_unix_s=now_unix_s)
                for one in rounds:
                    connection.execute(
                        "INSERT INTO rounds (run, round, attempt, status, invited, roster, quorum, opened_unix_s, "
                        "weights_sha256, cost) VALUES (?,?,1,'committed','[]',?,0,?,?,?)",
                        (record.run, one.round, _dump(roster), now_unix_s, one.weights_sha256, _dump(one.cost)),
                    )
                for number, line in metrics.items():
                    self.add_metrics(record.run, number, line)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def last_run(self) -> RunRecord | None:
        """Return the run that was started last, if there is one."""
        row = self._row(
            "SELECT run, finished_unix_s, model_sha256, first_weights_sha256, settings FROM runs ORDER BY rowid DESC"
        )
        return row and RunRecord(row[0], row[1] is not None, row[2], row[3], json.loads(row[4]))

    def finish_run(self, run: str, *, now_unix_s: float) -> None:
        """Record that all rounds are committed."""
        self._write("UPDATE runs SET finished_unix_s = ? WHERE run = ?", (now_unix_s, run))

    def open_round(self, run: str, effect: PublishRound, *, now_unix_s: float) -> None:
        """Record that a round was opened, or opened again; what counts in it stays."""
        self._write(
            "INSERT INTO rounds (run, round, attempt, status, invited, roster, quorum, opened_unix_s) "
            "VALUES (?,?,?,'open',?,?,?,?) ON CONFLICT (run, round) DO UPDATE SET "
            "attempt = excluded.attempt, invited = excluded.invited, "
            "roster = excluded.roster, quorum = excluded.quorum",
            (
                run,
                effect.round,
                effect.attempt,
                _dump(effect.invited),
                _dump(effect.roster),
                effect.quorum,
                now_unix_s,
            ),
        )

    def close_round(self, run: str, round_number: int, *, rests: Sequence[Rest] = ()) -> None:
        """Record that a round takes no more updates, and which devices failed last."""
        self._write(
            "UPDATE rounds SET status = 'closed', rests = ? WHERE run = ? AND round = ?",
            (_dump([asdict(rest) for rest in rests]), run, round_number),
        )

    def commit_round(self, run: str, round_number: int, *, weights_sha256: str, cost: dict[str, Any]) -> None:
        """Record that a round's weights are durable. Call it when their file is."""
        self._write(
            "UPDATE rounds SET status = 'committed', weights_sha256 = ?, cost = ? WHERE run = ? AND round = ?",
            (weights_sha256, _dump(cost), run, round_number),
        )

    def add_contribution(
        self, run: str, round_number: int, contribution: Contribution, *, manifest: UpdateManifest
    ) -> None:
        """Record an update that counts. Call it when its file is durable, and before its device is told."""
        self._write(
            "INSERT INTO contributions (run, round, device, sha256, samples, manifest) VALUES (?,?,?,?,?,?)",
            (
                run,
                round_number,
                contribution.device,
                contribution.sha256,
                contribution.samples,
                manifest.model_dump_json(),
            ),
        )

    def contributions(self, run: str, round_number: int) -> dict[Contribution, UpdateManifest]:
        """Return what counts in a round, in the order of the devices' names."""
        rows = self._rows(
            "SELECT device, sha256, samples, manifest FROM contributions WHERE run = ? AND round = ? ORDER BY device",
            (run, round_number),
        )
        return {Contribution(row[0], row[1], row[2]): UpdateManifest.model_validate_json(row[3]) for row in rows}

    def counted_sha256(self, run: str, round_number: int, device: str) -> str | None:
        """Return the hash of the update of a device that counts, or counted, in a round."""
        row = self._row(
            "SELECT sha256 FROM contributions WHERE run = ? AND round = ? AND device = ?", (run, round_number, device)
        )
        return row and str(row[0])

    def resume_point(self, run: str) -> ResumePoint:
        """Return where a run stands."""
        row = self._row(
            "SELECT round, attempt, status, invited, roster, quorum FROM rounds WHERE run = ? ORDER BY round DESC",
            (run,),
        )
        if row is None:
            return ResumePoint()
        number, attempt, status, invited, roster, quorum = row
        rests = self._rests(run)
        if status == "committed":
            return ResumePoint(committed=number, roster=tuple(json.loads(roster)), rests=rests)
        open_round = OpenRound(
            number,
            attempt,
            tuple(json.loads(invited)),
            quorum,
            tuple(self.contributions(run, number)),
            closed=status == "closed",
        )
        return ResumePoint(number - 1, open_round, tuple(json.loads(roster)), rests)

    def _rests(self, run: str) -> tuple[Rest, ...]:
        row = self._row("SELECT rests FROM rounds WHERE run = ? AND rests IS NOT NULL ORDER BY round DESC", (run,))
        return () if row is None else tuple(Rest(**rest) for rest in json.loads(row[0]))

    def committed(self, run: str, round_number: int) -> CommittedRound | None:
        """Return what is recorded of a round's commit, if it is committed."""
        row = self._row(
            "SELECT round, weights_sha256, cost FROM rounds WHERE run = ? AND round = ? AND status = 'committed'",
            (run, round_number),
        )
        return row and CommittedRound(row[0], row[1], json.loads(row[2]))

    def add_metrics(self, run: str, round_number: int, line: dict[str, Any]) -> None:
        """Record a round's line of metrics."""
        self._write("INSERT INTO metrics (run, round, line) VALUES (?,?,?)", (run, round_number, _dump(line)))

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of metrics of all runs, in the order of the runs and their rounds."""
        rows = self._rows(
            "SELECT line FROM metrics JOIN runs ON runs.run = metrics.run ORDER BY runs.rowid, metrics.round", ()
        )
        return [json.loads(row[0]) for row in rows]

    def unmeasured(self, run: str) -> list[int]:
        """Return the committed rounds that have no line of metrics yet."""
        rows = self._rows(
            "SELECT round FROM rounds WHERE run = ? AND status = 'committed' "
            "AND round NOT IN (SELECT round FROM metrics WHERE run = ?) ORDER BY round",
            (run, run),
        )
        return [int(row[0]) for row in rows]

    def _write(self, statement: str, values: tuple[Any, ...]) -> None:
        def write() -> None:
            with self._guard("write") as connection:
                connection.execute(statement, values)

        self._patience.insist(write)

    def _row(self, statement: str, values: tuple[Any, ...] = ()) -> Any:
        with self._guard("read") as connection:
            return connection.execute(statement + " LIMIT 1", values).fetchone()

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._guard("read") as connection:
            return list(connection.execute(statement, values))

    @contextmanager
    def _guard(self, doing: str) -> Iterator[Any]:
        try:
            yield self._connection
        except (sqlite3.Error, OSError) as error:
            said = f"cannot {doing} the database {self._path}: {error}"
            raise _kind_of(error)(said) from error


def _kind_of(error: Exception) -> type[StorageError]:
    """Tell what may pass, and what is beyond repair, from the rest."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BlockedError
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedError
    return StorageError


def _dump(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)
