"""Databases that another process holds, that are damaged, or of which a part is lost."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_client.sample_store import SampleStore
from shared.errors import StorageError
from tests.faults.process_fleet import NAMES, ROUNDS, Fleet, handwriting

Damage = Callable[[Path], None]
SOAK = pytest.mark.soak


def garbage_in_the_header(path: Path) -> None:
    """As a stray write leaves it."""
    with path.open("r+b") as file:
        file.write(random.Random(1).randbytes(100))


def a_page_in_the_middle(path: Path) -> None:
    """As a failing card leaves it."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(random.Random(2).randbytes(4096))


def truncated(path: Path) -> None:
    """As a full or failing card leaves it."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 2 // 3)


def gone(path: Path) -> None:
    """As somebody who tidies up leaves it."""
    for beside in ("", "-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)


def lost_wal(path: Path) -> None:
    """As whoever copies the one file, and not those beside it, leaves it."""
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)


@pytest.mark.parametrize("damage", [garbage_in_the_header, pytest.param(gone, marks=SOAK)])
def test_a_run_goes_on_from_its_checkpoint(fleet: Fleet, undisturbed: str, damage: Damage) -> None:
    """Its database damaged, it is not begun anew; with --resume the database is kept aside, and the weights agree."""
    fleet.devices(*NAMES)
    fleet.aggregator_process(crash_at="update durable:3").expect_crash()
    database = fleet.run_folder / "aggregator.sqlite3"
    damage(database)
    before = database.read_bytes() if database.exists() else b""
    if before:
        refused = fleet.aggregator_process()
        assert refused.end() == 7
        assert len(refused.errors) == 1
        assert "add --resume to go on from the last checkpoint" in refused.errors[0]
        assert database.read_bytes() == before
    resumed = fleet.aggregator_process(resume=True)
    assert resumed.end() == 0, resumed.errors
    recovered = next(event for event in resumed.all if event["event"] == "recovered")
    assert recovered["round"] == 1
    assert "the run goes on after round 1, from its checkpoint" in recovered["reason"]
    if before:
        (kept,) = fleet.run_folder.glob("aggregator.damaged-*.sqlite3")
        assert kept.read_bytes() == before
        assert kept.name in recovered["reason"]
    opened = next(event for event in resumed.all if event["event"] == "opened")
    assert (opened["round"], opened["invited"]) == (2, list(NAMES))
    assert resumed.all[-1]["weights_sha256"] == undisturbed
    lines = [json.loads(line) for line in (fleet.run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["round"], line["participants"]) for line in lines] == [(n, len(NAMES)) for n in range(1, ROUNDS + 1)]


@pytest.mark.parametrize(
    "damage", [a_page_in_the_middle, pytest.param(truncated, marks=SOAK), pytest.param(lost_wal, marks=SOAK)]
)
def test_whatever_is_damaged_an_aggregator_comes_to_the_same_weights(
    make_fleet: Callable[[], Fleet], tmp_path: Path, undisturbed: str, damage: Damage
) -> None:
    """A page, the end of the file, the file beside it: the run needs none of it, or goes on from a checkpoint."""
    one = make_fleet()
    one.devices(*NAMES)
    one.aggregator_process(crash_at="update durable:3").expect_crash()
    damage(one.run_folder / "aggregator.sqlite3")
    summary = one.aggregator(resume=True).end()
    one.stop()
    assert summary.weights_sha256 == undisturbed


@SOAK
def test_an_old_copy_of_the_database_is_found_out(fleet: Fleet, undisturbed: str) -> None:
    """A database that knows less than the weights beside it is whole and wrong: the checkpoint counts."""
    fleet.devices(*NAMES)
    fleet.aggregator_process(crash_at="round closed").expect_crash()
    database = fleet.run_folder / "aggregator.sqlite3"
    old = fleet.folder / "old"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE rounds SET status = 'open'")
    connection.close()
    shutil.copy(database, old)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE rounds SET status = 'closed'")
    connection.close()
    fleet.aggregator_process(resume=True, crash_at="round committed").expect_crash()
    gone(database)
    shutil.copy(old, database)
    aggregator = fleet.aggregator(resume=True)
    assert "it knows of 0 rounds, and there are weights of round 1" in aggregator.until("recovered")["reason"]
    assert aggregator.end().weights_sha256 == undisturbed


def test_a_database_that_another_process_holds_is_waited_for(fleet: Fleet, undisturbed: str) -> None:
    """Held while updates come in: it is said, nothing is accepted meanwhile, and nothing is lost."""
    with fleet.held_training():
        devices = fleet.devices(*NAMES)
        aggregator = fleet.aggregator()
        aggregator.until("opened", round=1)
        other = sqlite3.connect(fleet.run_folder / "aggregator.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    assert "locked" in aggregator.until("blocked")["reason"]
    assert not [event for one in devices for event in one.all if event["event"] == "verdict"]
    other.execute("ROLLBACK")
    other.close()
    aggregator.until("unblocked")
    assert aggregator.end().weights_sha256 == undisturbed


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of 200 samples, a hundred of them put in by hand."""
    path = tmp_path / "samples.sqlite"
    data = handwriting(200)
    with SampleStore.open(path) as one:
        one.add(data.take(np.arange(100)), source="test")
        pairs = [(data.images[i], str(data.labels[i])) for i in range(100, 200)]
        assert one.correct(pairs, writer="me", source="canvas").added == 100
    return path


@pytest.mark.parametrize(
    ("damage", "fewest"), [(garbage_in_the_header, 199), (a_page_in_the_middle, 198), (truncated, 120), (lost_wal, 200)]
)
def test_the_samples_that_are_whole_are_kept(store: Path, damage: Damage, fewest: int) -> None:
    """A damaged store is kept aside, said in a line, and its whole samples are in the new one as they were."""
    with SampleStore.open(store) as one:
        before = {(s.number, s.label, s.writer, s.corrected): one.image(s.number) for s in one.samples(limit=999)}
    damage(store)
    bytes_before = store.read_bytes()
    with SampleStore.open(store) as one:
        after = {(s.number, s.label, s.writer, s.corrected): one.image(s.number) for s in one.samples(limit=999)}
        notice = one.notice
    assert fewest <= len(after) <= len(before)
    for key, image in after.items():
        expected = before[key]
        assert image is not None
        assert expected is not None
        assert (image == expected).all()
    if damage is lost_wal:
        assert not notice
    else:
        (kept,) = store.parent.glob("samples.damaged-*.sqlite")
        assert kept.read_bytes() == bytes_before
        assert f"{len(after)} samples of it are whole" in notice
        assert len(notice.splitlines()) == 1


def test_deleted_samples_do_not_come_back(store: Path) -> None:
    """What a person deleted is not salvaged."""
    with SampleStore.open(store) as one:
        numbers = [sample.number for sample in one.samples(limit=999)]
        for number in numbers[:150]:
            assert one.delete(number)
    garbage_in_the_header(store)
    with SampleStore.open(store) as one:
        assert {sample.number for sample in one.samples(limit=999)} <= set(numbers[150:])
        assert len(one) >= 49


def test_a_store_that_another_process_holds_says_so(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A correction is refused in a line and changes nothing; reading and training go on; later it is taken."""
    with SampleStore.open(store) as one:
        one._connection.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(store, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        picture = handwriting(1, seed=9)
        correction = [(picture.images[0], "7")]
        with pytest.raises(StorageError, match="another process holds it; nothing was changed, try again"):
            one.correct(correction, writer="me", source="canvas")
        assert len(one.split(holdout=0.0)[0]) == 200
        other.execute("ROLLBACK")
        other.close()
        assert one.correct(correction, writer="me", source="canvas").added == 1
