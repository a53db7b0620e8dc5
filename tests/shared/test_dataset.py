"""Datasets: checked, cut, joined and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.dataset import Dataset, concatenate
from shared.errors import DataError
from shared.labels import LabelSet


def dataset() -> Dataset:
    images = np.zeros((4, 45, 45), np.uint8)
    images[np.arange(4), np.arange(4)] = 255
    return Dataset(images, np.array(["1", "2", "1", "div"]), np.array(["b", "a", "", "a"]))


@pytest.mark.parametrize(
    ("images", "labels", "writers"),
    [
        (np.zeros((2, 45, 45), np.uint8), ["1"], [""]),
        (np.zeros((1, 28, 28), np.uint8), ["1"], [""]),
        (np.zeros((1, 45, 45), np.float32), ["1"], [""]),
        (np.zeros((1, 45, 45), np.uint8), ["1"], ["", ""]),
    ],
)
def test_shapes_and_dtypes_are_checked(images: np.ndarray, labels: list[str], writers: list[str]) -> None:
    """What does not belong together is refused with what was expected and found."""
    with pytest.raises(DataError, match="expected"):
        Dataset(images, np.array(labels), np.array(writers))


def test_taking_cuts_all_three_alike() -> None:
    """Indices and masks pick images, labels and writers together."""
    chosen = dataset().take(np.array([3, 0]))
    assert chosen.labels.tolist() == ["div", "1"]
    assert chosen.writers.tolist() == ["a", "b"]
    assert chosen.images[:, :, 0].argmax(axis=1).tolist() == [3, 0]
    assert len(dataset().take(np.array([False] * 4))) == 0


def test_only_keeps_the_classes_of_a_set() -> None:
    """Classes outside the set go, in order."""
    assert dataset().only(LabelSet("few", ("div", "1"))).labels.tolist() == ["1", "1", "div"]


def test_counting() -> None:
    """Labels and known writers, most first, ties by name; the unknown writer is not one."""
    assert dataset().counts() == {"1": 2, "2": 1, "div": 1}
    assert next(iter(dataset().counts())) == "1"
    assert dataset().writers_by_samples() == ["a", "b"]
    assert dataset().take(np.array([0, 1, 2])).writers_by_samples() == ["a", "b"]


def test_joining_keeps_the_order() -> None:
    """Joined datasets follow each other; none is an error."""
    assert concatenate([dataset(), dataset()]).labels.tolist() == dataset().labels.tolist() * 2
    with pytest.raises(DataError, match="at least one"):
        concatenate([])


def test_saving_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    """A file is a function of the dataset, and holds no pickled object."""
    for name in ("a", "b"):
        dataset().save(tmp_path / "new" / f"{name}.npz")
    assert (tmp_path / "new" / "a.npz").read_bytes() == (tmp_path / "new" / "b.npz").read_bytes()
    with np.load(tmp_path / "new" / "a.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["X", "writer", "y"]
