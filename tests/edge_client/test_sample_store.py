"""The sample store: what is kept, what leaves, and what happens to files that are not stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_client.sample_digest import digest_of
from edge_client.sample_store import SampleStore
from edge_client.store_cap import surplus
from edge_client.store_schema import APPLICATION_ID
from shared.dataset import Dataset
from shared.errors import StorageError
from shared.files import unfinished
from shared.labels import LabelSet
from tests.edge_client.made_samples import dataset


def reordered(data: Dataset, seed: int) -> Dataset:
    """The same samples in another order."""
    return data.take(np.random.default_rng(seed).permutation(len(data)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "samples.sqlite"


def test_samples_come_back_as_they_were(path: Path) -> None:
    """Pixels, labels and writers survive the disk."""
    data = dataset(20)
    with SampleStore.open(path) as store:
        store.add(data, source="test")
    with SampleStore.open(path) as store:
        back = store.dataset()
    found = {
        digest_of(i, str(label)): str(w) for i, label, w in zip(back.images, back.labels, back.writers, strict=True)
    }
    given_ = {digest_of(i, str(label)): "anna" for i, label in zip(data.images, data.labels, strict=True)}
    assert found == given_


def test_the_same_sample_is_stored_once(path: Path) -> None:
    """Adding a dataset twice adds nothing the second time; another label makes another sample."""
    data = dataset(12)
    with SampleStore.open(path) as store:
        assert store.add(data, source="a").added == 12
        again = store.add(data, source="b")
        assert (again.added, again.known, len(store)) == (0, 12, 12)
        other = Dataset(data.images[:1], np.array(["9"]), data.writers[:1])
        assert store.add(other, source="c").added == 1


def test_order_does_not_depend_on_insertion(tmp_path: Path) -> None:
    """Two devices that got the same samples in another order train on the same array and hold out the same samples."""
    data = dataset(60)
    splits = []
    for seed in (1, 2):
        with SampleStore.open(tmp_path / f"{seed}.sqlite") as store:
            for half in np.array_split(np.arange(60), seed):
                store.add(reordered(data, seed).take(half), source="x")
            splits.append(store.split(holdout=0.3))
    for left, right in zip(*splits, strict=True):
        assert (left.images == right.images).all()
        assert (left.labels == right.labels).all()


def test_holdout_is_about_the_fraction_and_disjoint(path: Path) -> None:
    """Of many samples the fraction asked for is held out, none is in both parts, none in neither."""
    with SampleStore.open(path) as store:
        store.add(dataset(1000), source="x")
        train, held = store.split(holdout=0.2)
    assert len(train) + len(held) == 1000
    assert 150 < len(held) < 250
    digests = [
        digest_of(i, str(label)) for part in (train, held) for i, label in zip(part.images, part.labels, strict=True)
    ]
    assert len(set(digests)) == 1000


def test_what_was_held_out_stays_held_out(path: Path) -> None:
    """More samples move none from the hold-out to the training set: it would be checked on what it was taught."""
    with SampleStore.open(path) as store:
        store.add(dataset(100, seed=1), source="x")
        before = {image.tobytes() for image in store.split(holdout=0.3)[1].images}
        store.add(dataset(100, seed=2), source="y")
        after = {image.tobytes() for image in store.split(holdout=0.3)[1].images}
    assert before < after


def test_a_single_sample_is_trained_on(path: Path) -> None:
    """Where everything would be held out, nothing is."""
    with SampleStore.open(path) as store:
        store.add(dataset(1), source="x")
        train, held = store.split(holdout=0.999)
    assert (len(train), len(held)) == (1, 0)


def test_split_takes_only_the_models_labels(path: Path) -> None:
    """Samples of other classes are in neither part."""
    with SampleStore.open(path) as store:
        store.add(dataset(30, labels=("1", "2", "alpha")), source="x")
        train, held = store.split(holdout=0.2, labels=LabelSet("digits", ("1", "2")))
        only_held = store.held_out(holdout=0.2, labels=LabelSet("digits", ("1", "2")))
    assert len(train) + len(held) == 20
    assert set(train.labels) | set(held.labels) == {"1", "2"}
    assert (only_held.images == held.images).all()
    assert only_held.labels.tolist() == held.labels.tolist()


def test_the_cap_takes_the_oldest_of_the_most_frequent_label(path: Path) -> None:
    """Rare labels lose nothing; of the frequent one the newest stay."""
    with SampleStore.open(path, max_samples=10) as store:
        store.add(dataset(2, labels=("rare",), seed=1), source="x")
        old = dataset(8, labels=("often",), seed=2)
        new = dataset(4, labels=("often",), seed=3)
        store.add(old, source="x")
        assert store.add(new, source="x").left == 4
        assert store.counts() == {"often": 8, "rare": 2}
        kept = {image.tobytes() for image in store.dataset().images}
    assert {image.tobytes() for image in new.images} <= kept
    assert {image.tobytes() for image in old.images[:4]}.isdisjoint(kept)


@settings(deadline=None)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(1, 60), min_size=1), st.integers(1, 100))
def test_surplus_is_what_one_by_one_would_take(counts: dict[str, int], cap: int) -> None:
    """The numbers that leave are those of taking one of the most frequent label, first in order, again and again."""
    left = dict(counts)
    while sum(left.values()) > cap:
        most = max(left.values())
        left[min(label for label in left if left[label] == most)] -= 1
    expected = {label: counts[label] - left[label] for label in counts if counts[label] > left[label]}
    assert surplus(counts, cap=cap) == expected


def test_samples_can_be_deleted_and_leave_no_trace(path: Path) -> None:
    """One sample, then all: their pixels are no longer in the files."""
    data = dataset(5)
    with SampleStore.open(path) as store:
        store.add(data, source="x")
        newest = store.samples(limit=1)[0]
        assert store.delete(newest.number)
        assert not store.delete(newest.number)
        assert len(store) == 4
        assert store.delete_all() == 4
        assert store.counts() == {}
        files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert not any(image.tobytes()[:200] in files for image in data.images)


def test_the_list_has_pages(path: Path) -> None:
    """The newest come first, every sample is on exactly one page, and a label has pages of its own."""
    with SampleStore.open(path) as store:
        store.add(dataset(7), source="camera", clock=lambda: 12.5)
        pages = store.samples(limit=4) + store.samples(offset=4, limit=4)
        ones = store.samples(label="1", limit=2) + store.samples(label="1", offset=2, limit=2)
    assert [sample.number for sample in pages] == sorted({sample.number for sample in pages}, reverse=True)
    assert len(pages) == 7
    assert ones == [sample for sample in pages if sample.label == "1"]
    first = pages[0]
    assert (first.source, first.writer, first.added_unix_s, first.corrected) == ("camera", "anna", 12.5, False)


def test_a_failing_import_adds_nothing(path: Path) -> None:
    """One bad sample in a dataset rolls all of it back."""
    data = dataset(6)
    data.labels[5] = ""
    with SampleStore.open(path) as store:
        with pytest.raises(StorageError, match="sample store"):
            store.add(data, source="x")
        assert len(store) == 0
        assert store.add(dataset(3), source="y").added == 3


def test_a_full_disk_is_one_line(path: Path) -> None:
    """SQLite's page limit stands in for the disk's end: StorageError, and what was there is still there."""
    with SampleStore.open(path) as store:
        store.add(dataset(5), source="x")
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StorageError, match="full"):
            store.add(dataset(200, seed=4), source="y")
        assert len(store) == 5


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3"])
def test_a_file_that_is_no_store_is_refused_and_kept(path: Path, content: bytes) -> None:
    """Something else under the name is neither opened nor moved."""
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not a sample store"):
        SampleStore.open(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_untouched(path: Path) -> None:
    """A SQLite file with tables of its own keeps every byte."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program"):
        SampleStore.open(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(path: Path) -> None:
    """A store of a newer Inkfleet is not touched by an older one, and it says what to do."""
    SampleStore.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 1000")
    connection.close()
    with pytest.raises(StorageError, match="update Inkfleet"):
        SampleStore.open(path)


def test_a_damaged_store_is_set_aside(path: Path) -> None:
    """A store with broken pages is renamed, said, and replaced by one with the samples of its other pages."""
    with SampleStore.open(path) as store:
        store.add(dataset(200), source="x")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)
    with SampleStore.open(path) as store:
        assert "damaged" in store.notice
        left = len(store)
        assert 150 <= left < 200
        assert store.add(dataset(200), source="y").added == 200 - left
    kept = list(path.parent.glob("samples.damaged-*.sqlite"))
    assert len(kept) == 1
    assert kept[0].stat().st_size > 200 * 2025


def test_a_store_that_cannot_be_mended_now_is_mended_later(path: Path) -> None:
    """Where the new store cannot be written, the damaged one stays where it was, and the next start reads it."""
    with SampleStore.open(path) as store:
        store.add(dataset(200), source="x")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 20)
    damaged = path.read_bytes()
    in_the_way = unfinished(path)
    in_the_way.mkdir()
    with pytest.raises(StorageError, match="cannot be mended now"):
        SampleStore.open(path)
    assert path.read_bytes() == damaged
    assert list(path.parent.glob("*.damaged-*")) == []
    in_the_way.rmdir()
    with SampleStore.open(path) as store:
        assert len(store) >= 150


def test_deleting_everything_deletes_damaged_stores_too(path: Path) -> None:
    """Who deletes their data has none left in the folder, in a damaged file neither."""
    with SampleStore.open(path) as store:
        store.add(dataset(50), source="x")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 5)
    with SampleStore.open(path) as store:
        assert list(path.parent.glob("samples.damaged-*"))
        store.delete_all()
        assert list(path.parent.glob("samples.damaged-*")) == []


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A folder under the name is one line, not a traceback."""
    with pytest.raises(StorageError, match="is a folder"):
        SampleStore.open(tmp_path)


def test_a_store_carries_its_mark(path: Path) -> None:
    """The file says what it is, for `file` and for other programs."""
    SampleStore.open(path).close()
    assert int.from_bytes(path.read_bytes()[68:72], "big") == APPLICATION_ID
