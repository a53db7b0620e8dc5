"""What a run keeps on disk: database, spool, checkpoints."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aggregator.checkpoints import Checkpoints
from aggregator.engine import Contribution, PublishRound
from aggregator.events import EventLog
from aggregator.run import begin
from aggregator.settings import AggregatorSettings
from aggregator.spool import Spool
from aggregator.store import RunRecord, Store
from shared.errors import StorageError
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest
from shared.migrations import steps
from shared.tensors import encode_tensors, sha256_of
from tflite_models.bundle import builtin_bundle

DATA = encode_tensors({"w": np.array([1.0, 2.0], np.float32)})
SHA = sha256_of(DATA)
RECORD = RunRecord("r", False, "1" * 64, "2" * 64, {"lr": 0.1, "rounds": 3})
MANIFEST = UpdateManifest(
    run="r",
    round=1,
    samples=5,
    base="0" * 64,
    blob=BlobRef.of(DATA, chunk_bytes=256),
    metrics=LocalMetrics(train=Score(loss=1, accuracy=0.5, samples=5)),
)


def opened(round_number: int, *, attempt: int = 1) -> PublishRound:
    return PublishRound(round_number, attempt, "open", ("a", "b"), 2, 10.0, ("a", "b", "c"))


def test_the_store_gives_back_where_a_run_stands(tmp_path: Path) -> None:
    """Open, counted, closed, committed: each is there after the database was closed and opened."""
    path = tmp_path / "a" / "db"

    def standing() -> object:
        with Store(path) as store:
            return store.resume_point("r")

    with Store(path) as store:
        store.begin_run(RECORD, now_unix_s=1.0)
        assert store.last_run() == RECORD
        store.open_round("r", opened(1), now_unix_s=1.0)
        store.add_contribution("r", 1, Contribution("b", SHA, 5), manifest=MANIFEST)
        store.open_round("r", opened(1, attempt=2), now_unix_s=2.0)
    with Store(path) as store:
        point = store.resume_point("r")
        assert (point.committed, point.roster) == (0, ("a", "b", "c"))
        assert point.open is not None
        assert (point.open.attempt, point.open.invited, point.open.closed) == (2, ("a", "b"), False)
        assert point.open.contributions == (Contribution("b", SHA, 5),)
        assert store.contributions("r", 1) == {Contribution("b", SHA, 5): MANIFEST}
        assert store.counted_sha256("r", 1, "b") == SHA
        assert store.counted_sha256("r", 1, "a") is None
        store.close_round("r", 1)
    with Store(path) as store:
        point = store.resume_point("r")
        assert point.open is not None
        assert point.open.closed
        store.commit_round("r", 1, weights_sha256="3" * 64, cost={"wall_s": 1.5})
    with Store(path) as store:
        point = store.resume_point("r")
        assert (point.committed, point.open) == (1, None)
        assert store.unmeasured("r") == [1]
        store.add_metrics("r", 1, {"event": "round", "accuracy": 0.5})
        assert store.unmeasured("r") == []
        assert store.metrics() == [{"event": "round", "accuracy": 0.5}]
        committed = store.committed("r", 1)
        assert committed is not None
        assert (committed.weights_sha256, committed.cost) == ("3" * 64, {"wall_s": 1.5})
        store.finish_run("r", now_unix_s=9.0)
        last = store.last_run()
        assert last is not None
        assert last.finished
    assert standing() == standing()


def test_a_device_counts_once_in_the_database(tmp_path: Path) -> None:
    """Even a faulty caller cannot record two updates of a device in a round."""
    with Store(tmp_path / "db") as store:
        store.begin_run(RECORD, now_unix_s=1.0)
        store.open_round("r", opened(1), now_unix_s=1.0)
        store.add_contribution("r", 1, Contribution("b", SHA, 5), manifest=MANIFEST)
        with pytest.raises(StorageError, match="UNIQUE"):
            store.add_contribution("r", 1, Contribution("b", "f" * 64, 5), manifest=MANIFEST)


def test_each_migration_brings_an_older_database_up_to_date(tmp_path: Path) -> None:
    """From every schema there ever was, opening leads to the newest one."""
    scripts = steps("aggregator.migrations")
    for version in range(len(scripts) + 1):
        path = tmp_path / f"v{version}"
        with sqlite3.connect(path) as connection:
            for script in scripts[:version]:
                connection.executescript(script)
            connection.execute(f"PRAGMA user_version = {version}")
        connection.close()
        with Store(path) as store:
            assert store.last_run() is None
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(scripts),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_a_database_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """Rubbish, and a schema of the future, are each said in a line."""
    (tmp_path / "rubbish").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match="cannot open the database"), Store(tmp_path / "rubbish"):
        pass
    connection = sqlite3.connect(tmp_path / "future")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StorageError, match="later version"), Store(tmp_path / "future"):
        pass


def test_the_spool_keeps_only_what_is_told(tmp_path: Path) -> None:
    """What a crash left behind goes; what counts stays, and is read tensor by tensor in the order of the names."""
    spool = Spool(tmp_path / "spool")
    for round_number, device in ((1, "old"), (2, "b"), (2, "a"), (2, "late")):
        spool.put(DATA, round_number=round_number, device=device, sha256=SHA)
    (tmp_path / "spool" / "000002" / ".torn").write_bytes(b"half")
    kept = [Contribution("b", SHA, 7), Contribution("a", SHA, 5)]
    spool.keep_only(kept, round_number=2)
    assert sorted(path.name for path in (tmp_path / "spool").rglob("*.safetensors")) == [
        f"a.{SHA}.safetensors",
        f"b.{SHA}.safetensors",
    ]
    assert not (tmp_path / "spool" / "000002" / ".torn").exists()
    updates = spool.updates(kept, round_number=2)
    assert (updates.devices, updates.samples) == (("a", "b"), (5, 7))
    np.testing.assert_array_equal(updates.tensor(0, "w"), [1.0, 2.0])


def test_an_update_may_come_while_the_spool_is_cleared(tmp_path: Path) -> None:
    """A late update that is written by one thread while another clears its round ends neither of them."""
    spool = Spool(tmp_path)
    stop = threading.Event()

    def clear() -> None:
        while not stop.is_set():
            spool.keep_only((), round_number=1)

    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(clear)
        try:
            for number in range(100):
                spool.put(DATA, round_number=number % 2, device=f"d{number}", sha256=SHA)
        finally:
            stop.set()
        assert clearing.exception() is None
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name.startswith(".")]
    assert left == [], "a temporary file is left behind"


def test_a_spooled_update_that_is_gone_or_damaged_is_an_error(tmp_path: Path) -> None:
    """The aggregation says which file it cannot read."""
    spool = Spool(tmp_path)
    updates = spool.updates([Contribution("a", SHA, 1)], round_number=1)
    with pytest.raises(StorageError, match=f"cannot read the update .*a.{SHA}"):
        updates.tensor(0, "w")
    spool.put(DATA[:20], round_number=1, device="a", sha256=SHA)
    with pytest.raises(StorageError, match="cannot read the update"):
        updates.tensor(0, "w")


def test_a_run_that_cannot_be_recorded_leaves_the_old_ones_checkpoints(tmp_path: Path) -> None:
    """The folder's last run is whole until the new one is on record."""
    model, checkpoints = builtin_bundle("arithmetic"), Checkpoints(tmp_path / "checkpoints")
    settings = AggregatorSettings(folder=tmp_path)
    checkpoints.put(7, DATA)
    with Store(tmp_path / "db") as store:
        with sqlite3.connect(tmp_path / "db") as other:
            other.execute("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'disk full'); END")
        other.close()
        with pytest.raises(StorageError, match="disk full"):
            begin(settings, model=model, store=store, checkpoints=checkpoints, now_unix_s=1.0)
        assert checkpoints.read(7, sha256=SHA) == DATA
        with sqlite3.connect(tmp_path / "db") as other:
            other.execute("DROP TRIGGER full")
        other.close()
        run = begin(settings, model=model, store=store, checkpoints=checkpoints, now_unix_s=1.0)
        assert checkpoints.read(0, sha256=run.sha256) == run.data
        assert not checkpoints.path(7).exists()


def test_checkpoints_are_checked_and_cleared(tmp_path: Path) -> None:
    """Weights come back as they were committed, or not at all; only the rounds named are kept."""
    checkpoints = Checkpoints(tmp_path)
    for number in range(4):
        checkpoints.put(number, DATA)
    checkpoints.keep_only({2, 3})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["round-000002.safetensors", "round-000003.safetensors"]
    assert checkpoints.read(3, sha256=SHA) == DATA
    with pytest.raises(StorageError, match="damaged"):
        checkpoints.read(3, sha256="f" * 64)
    with pytest.raises(StorageError, match="cannot read"):
        checkpoints.read(1, sha256=SHA)


def test_weights_may_be_written_while_older_ones_are_cleared(tmp_path: Path) -> None:
    """One thread writes the next round's weights, another clears what is over: neither ends the other."""
    checkpoints = Checkpoints(tmp_path)
    stop = threading.Event()

    def clear() -> None:
        while not stop.is_set():
            checkpoints.keep_only(range(1, 51))

    with ThreadPoolExecutor(1) as pool:
        clearing = pool.submit(clear)
        try:
            for number in range(51):
                checkpoints.put(number, DATA)
        finally:
            stop.set()
        assert clearing.exception() is None
    assert set(checkpoints.rounds()) - {0} == set(range(1, 51))


def test_a_torn_line_takes_no_other_with_it(tmp_path: Path) -> None:
    """A crash that cut the last event off leaves half a line, and the next event a line of its own."""
    (tmp_path / "events.jsonl").write_bytes(b'{"event": "one"}\n{"event": "tw')
    with EventLog(tmp_path, listener=lambda event: None) as log:
        log.say("three")
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert lines == ['{"event": "one"}', '{"event": "tw', '{"event": "three"}']
