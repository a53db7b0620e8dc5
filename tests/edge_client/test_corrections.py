"""What a person says that pictures are: what the store makes of it, and when the device hears."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.datasets import open_any
from edge_client.corrections import Corrections
from edge_client.sample_store import SampleStore
from shared.dataset import Dataset
from shared.errors import DataError
from shared.handwriting.generation import generate
from shared.sample import Sample
from tests.edge_client.made_samples import dataset

DEADLINE_S = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SampleStore]:
    """An empty store."""
    with SampleStore.open(tmp_path / "samples.sqlite") as one:
        yield one


def pictures(n: int, *, seed: int = 0) -> list[Sample]:
    """Pictures that are nothing like each other."""
    return list(dataset(n, seed=seed).images)


def correct(store: SampleStore, *samples: tuple[Sample, str]) -> tuple[int, int, int, int]:
    """Correct, and say how many were added, known, alike, and replaced."""
    became = store.correct(samples, writer="ada", source="canvas")
    return became.added, became.known, became.alike, became.replaced


def test_a_correction_is_a_sample(store: SampleStore) -> None:
    """It is listed with who wrote it and where it came from, its picture can be had, and it can be trained on."""
    (picture,) = pictures(1)
    assert correct(store, (picture, "7")) == (1, 0, 0, 0)
    (listed,) = store.samples()
    assert (listed.label, listed.writer, listed.source, listed.corrected) == ("7", "ada", "canvas", True)
    image = store.image(listed.number)
    assert image is not None
    assert (image == picture).all()
    assert store.image(listed.number + 1) is None
    assert len(store.split(holdout=0.0)[0]) == 1


def test_the_newest_word_about_a_picture_counts(store: SampleStore) -> None:
    """A new label takes the place of the old one, whether it was imported or corrected; the same changes nothing."""
    (picture,) = pictures(1)
    store.add(Dataset(picture[np.newaxis], np.array(["1"]), np.array(["bo"])), source="import")
    assert correct(store, (picture, "7")) == (1, 0, 0, 1)
    assert correct(store, (picture, "7")) == (0, 1, 0, 0)
    assert correct(store, (picture, "1"), (picture, "+")) == (1, 1, 0, 1)
    assert store.counts() == {"+": 1}


def test_an_imported_sample_that_a_person_confirms_is_a_correction(store: SampleStore) -> None:
    """It is the same sample, and from now on one of the last to leave."""
    (picture,) = pictures(1)
    store.add(Dataset(picture[np.newaxis], np.array(["7"]), np.array(["bo"])), source="import")
    assert correct(store, (picture, "7")) == (1, 0, 0, 0)
    (listed,) = store.samples()
    assert (listed.corrected, listed.writer) == (True, "bo")


def test_a_near_duplicate_is_not_stored_under_the_same_label(store: SampleStore) -> None:
    """The same ink a shade darker is the same; under another label, or other ink, it is not."""
    seven, other = generate(("7",), writers=2, samples_per_writer=1, seed=4).images
    darker = np.where(seven > 60, 255, seven).astype(np.uint8)
    assert correct(store, (seven, "7"), (other, "7")) == (2, 0, 0, 0)
    assert correct(store, (darker, "7")) == (0, 0, 1, 0)
    assert correct(store, (darker, "1")) == (1, 0, 0, 0)
    assert store.counts() == {"7": 2, "1": 1}


def test_imports_take_no_part_in_that(store: SampleStore) -> None:
    """A dataset is taken as it is: what is nearly the same in it stays."""
    (seven,) = generate(("7",), writers=1, samples_per_writer=1, seed=4).images
    both = np.stack([seven, np.where(seven > 60, 255, seven).astype(np.uint8)])
    assert store.add(Dataset(both, np.array(["7", "7"]), np.array(["", ""])), source="import").added == 2


def test_the_order_of_corrections_does_not_matter(tmp_path: Path) -> None:
    """Several at once come to the same samples in any order, near-duplicates among them too."""
    (seven,) = generate(("7",), writers=1, samples_per_writer=1, seed=4).images
    several = [(np.clip(seven.astype(int) + i, 0, 255).astype(np.uint8), "7") for i in range(4)]
    several += [(picture, "2") for picture in pictures(4)]
    kept = []
    for name, ordered in (("a", several), ("b", several[::-1])):
        with SampleStore.open(tmp_path / name) as store:
            correct(store, *ordered)
            kept.append(store.dataset().images.tobytes())
    assert kept[0] == kept[1]


def test_corrections_leave_last(tmp_path: Path) -> None:
    """A full store loses what was imported of a label, however new, before what a person said."""
    with SampleStore.open(tmp_path / "samples.sqlite", max_samples=10) as store:
        said = pictures(4, seed=1)
        correct(store, *((picture, "7") for picture in said))
        assert store.add(dataset(9, labels=("7",), seed=2), source="import").left == 3
        left = {image.tobytes() for image in store.dataset().images}
    assert {picture.tobytes() for picture in said} <= left


def test_an_export_is_read_by_the_importer(store: SampleStore, tmp_path: Path) -> None:
    """Pixels, labels and writers come back as they were, the sources are there, and the bytes are always the same."""
    written = generate(("2", "7", "+"), writers=2, samples_per_writer=9, seed=1)
    store.add(written, source="import")
    correct(store, (pictures(1)[0], "7"))
    packed = store.export()
    assert packed == store.export()
    (tmp_path / "mine.npz").write_bytes(packed)
    back, kept = open_any(tmp_path / "mine.npz").dataset, store.dataset()
    assert (back.images == kept.images).all()
    assert back.labels.tolist() == kept.labels.tolist()
    assert back.writers.tolist() == kept.writers.tolist()
    with np.load(tmp_path / "mine.npz") as arrays:
        assert sorted(set(arrays["source"].tolist())) == ["canvas", "import"]


def test_a_store_of_the_first_schema_is_taken_over(tmp_path: Path) -> None:
    """Samples of an older version stay, and count as imported."""
    import sqlite3

    from edge_client.store_schema import APPLICATION_ID
    from shared.migrations import migrate, steps

    path = tmp_path / "samples.sqlite"
    old = sqlite3.connect(path, isolation_level=None)
    migrate(old, steps("edge_client.migrations")[:1], what="store", application_id=APPLICATION_ID)
    old.execute("INSERT INTO samples VALUES (1, ?, ?, '7', '', 'x', 0.0)", (bytes(32), bytes(2025)))
    old.close()
    with SampleStore.open(path) as store:
        assert [sample.corrected for sample in store.samples()] == [False]


def test_the_device_hears_once_after_a_pause(store: SampleStore) -> None:
    """Corrections in quick succession are told once; a deletion is told too; what changes nothing is not."""
    heard = threading.Semaphore(0)
    corrections = Corrections(store, writer="ada", changed=heard.release, settle_s=0.5)
    for picture in pictures(5):
        assert corrections.add([(picture, "7")], source="canvas").added == 1
    assert heard.acquire(timeout=DEADLINE_S)
    assert not heard.acquire(blocking=False)
    assert corrections.delete(store.samples()[0].number)
    assert heard.acquire(timeout=DEADLINE_S)
    assert not corrections.delete(12345)
    assert corrections._timer is not None
    assert corrections._timer.finished.is_set()
    assert corrections.delete_all() == 4
    corrections.close()
    assert not heard.acquire(timeout=0.7)


def test_corrections_come_from_many_threads(store: SampleStore) -> None:
    """None is lost and none stored twice."""
    corrections = Corrections(store, writer="ada", settle_s=0.0)
    several = [(picture, "×") for picture in pictures(12)]
    threads = [threading.Thread(target=corrections.add, args=[several], kwargs={"source": "x"}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert store.counts() == {"times": 12}


@pytest.mark.parametrize(
    ("picture", "label", "said"),
    [
        (np.zeros((45, 45), np.uint8), "7", "has no ink"),
        (np.ones((45, 44), np.uint8), "7", r"expected a sample \(45, 45\) uint8"),
        (np.ones((45, 45), np.float32), "7", "got float32"),
        (np.ones((45, 45), np.uint8), " ", "is no label"),
        (np.ones((45, 45), np.uint8), "a\nb", "is no label"),
    ],
)
def test_what_is_no_sample_is_refused(store: SampleStore, picture: Sample, label: str, said: str) -> None:
    """One bad sample among good ones: a DataError in one line, and nothing is stored."""
    corrections = Corrections(store, writer="ada")
    with pytest.raises(DataError, match=said):
        corrections.add([(pictures(1)[0], "7"), (picture, label)], source="canvas")
    assert len(store) == 0
