"""NumPy archives: any dtype, any size, integer labels, and what is wrong with one."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.datasets import open_dataset
from shared.errors import DataError


def pictures(n: int = 6, side: int = 20) -> NDArray[np.uint8]:
    X = np.full((n, side, side), 255, np.uint8)
    for i in range(n):
        X[i, 3 : side - 3, 8 + i % 3 : 10 + i % 3] = 0
    return X


def saved(path: Path, **arrays: Any) -> Path:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return path


LABELS = np.array(list("123123"))


@pytest.mark.parametrize(
    "cast",
    [
        lambda X: X,
        lambda X: X[..., np.newaxis],
        lambda X: X.astype(np.float32) / 255,
        lambda X: X.astype(np.float64),
        lambda X: X.astype(np.float32) / 127.5 - 1,
        lambda X: X > 0,
        lambda X: (X > 0).astype(np.uint8),
        lambda X: X.astype(np.int64),
        lambda X: X.astype(np.uint16) * 257,
        lambda X: 255 - X,
        lambda X: (255 - X).astype(np.float16) / 255,
    ],
    ids=["uint8", "channel", "0..1", "0..255", "-1..1", "bool", "0/1", "int64", "uint16", "light", "light 0..1"],
)
def test_any_dtype_gives_the_same_samples(cast: Any, tmp_path: Path) -> None:
    """Whatever numbers the pictures are held in, the samples are those of the plain grey ones."""
    expected = open_dataset(saved(tmp_path / "plain.npz", X=pictures(), y=LABELS)).dataset
    found = open_dataset(saved(tmp_path / "cast.npz", X=cast(pictures()), y=LABELS)).dataset
    assert np.array_equal(found.images, expected.images)


@pytest.mark.parametrize(
    ("y", "more", "labels"),
    [
        (np.array([1, 2, 1, 2, 0, 0]), {}, {"1", "2", "0"}),
        (np.array([1, 2, 1, 2, 0, 0]), {"labels": np.array(["a", "\\times", "c"])}, {"a", "times", "c"}),
        (np.array([1, 2, 1, 2, 0, 0], np.uint8), {"classes": np.array([b"a", b"b", b"c"])}, {"a", "b", "c"}),
        (np.array([b"\\div", b"1", b"1", b"1", b"1", b"1"]), {}, {"div", "1"}),
    ],
)
def test_labels_are_names_or_numbers(
    y: NDArray[Any], more: dict[str, NDArray[Any]], labels: set[str], tmp_path: Path
) -> None:
    """Integers index the class names where there are some, and are their own names where not."""
    imported = open_dataset(saved(tmp_path / "set.npz", X=pictures(), y=y, **more))
    assert set(imported.dataset.counts()) == labels


def test_writers_may_be_numbers_and_unknown(tmp_path: Path) -> None:
    """A writer's number is a name; the usual words for nobody are nobody."""
    path = saved(tmp_path / "a.npz", X=pictures(), y=LABELS, writer=np.arange(6) // 2)
    assert open_dataset(path).dataset.writers_by_samples() == ["0", "1", "2"]
    names = np.array(["Unknown", "", "b", "none", "b", "a"])
    path = saved(tmp_path / "b.npz", X=pictures(), y=LABELS, writer=names)
    assert open_dataset(path).dataset.writers.tolist() == ["", "", "b", "", "b", "a"]


def test_blank_and_infinite_pictures_are_left_out(tmp_path: Path) -> None:
    """Pictures without ink, or with numbers that are none, are counted and left out."""
    X = pictures().astype(np.float32)
    X[0] = 255
    X[1, 3, 3] = np.nan
    report = open_dataset(saved(tmp_path / "set.npz", X=X, y=LABELS)).report
    assert report.samples == 4
    assert {one.reason: one.count for one in report.left_out} == {
        "blank, no ink to be seen": 1,
        "not finite numbers": 1,
    }


def test_pictures_cropped_already_are_taken_as_they_are(tmp_path: Path) -> None:
    """A 45×45 set whose ink spans the pictures is not scaled again, so lines one pixel wide stay so."""
    X = np.full((40, 45, 45), 255, np.uint8)
    for i in range(40):
        X[i, :, 20 + i % 5] = 0
    X[7, 0] = 255  # one picture lacks its top row
    X[8], X[8, 21:24, 21:24] = 255, 0  # and one is a dot
    found = open_dataset(saved(tmp_path / "set.npz", X=X, y=np.array(["1"] * 40))).dataset
    assert np.array_equal(found.images, 255 - X)


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"y": LABELS}, "no array 'X' (it holds y)"),
        ({"X": pictures()}, "no array 'y'"),
        ({"x_train": pictures(), "y_train": LABELS}, "it holds x_train, y_train"),
        ({"X": pictures(5), "y": LABELS}, "X has 5 pictures but y has the shape (6,)"),
        ({"X": pictures(), "y": LABELS, "writer": np.array(["a"])}, "writer has the shape (1,)"),
        ({"X": pictures()[0], "y": LABELS}, "expected X of shape (n, height, width)"),
        ({"X": np.zeros((6, 20, 20, 3)), "y": LABELS}, "expected X of shape (n, height, width)"),
        ({"X": np.zeros((6, 0, 20)), "y": LABELS}, "expected X of shape"),
        ({"X": np.zeros((0, 20, 20)), "y": np.array([], str)}, "is empty"),
        ({"X": pictures(), "y": np.zeros(6)}, "expected y of strings or integers, got float64"),
        ({"X": pictures(), "y": np.eye(6)}, "y has the shape (6, 6)"),
        ({"X": pictures(), "y": np.arange(6), "labels": np.array(["a"])}, "y goes from 0 to 5, but there are 1"),
        ({"X": pictures(), "y": np.array([-1, 0, 0, 0, 0, 0]), "labels": np.array(["a"])}, "y goes from -1"),
        ({"X": pictures(), "y": np.array(list("123123"), dtype=object)}, "Python objects"),
        ({"X": pictures().astype(np.complex64), "y": LABELS}, "expected X of numbers"),
        ({"X": np.array([["a"]]), "y": LABELS}, "expected X of shape"),
        ({"X": np.full((6, 9, 9), np.nan), "y": LABELS}, "not finite"),
        ({"X": np.full((6, 9, 9), 1e300), "y": LABELS}, "not finite"),
        ({"X": np.full((6, 9, 9), -5, np.int32), "y": LABELS}, "blank"),
        ({"X": pictures(), "y": LABELS, "writer": np.zeros(6)}, "expected writer of strings or integers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arrays: dict[str, Any], says: str, tmp_path: Path) -> None:
    """A missing key, a wrong shape, dtype or length is one line with what was expected and found."""
    path = saved(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_shape_that_lies_is_refused_before_room_is_made(tmp_path: Path) -> None:
    """An archive of a kilobyte that claims a terabyte of pictures is refused at once."""
    header = io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 45, 45)}
    np.lib.format.write_array_header_1_0(header, claim)
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("X.npy", header.getvalue() + bytes(100))
    with pytest.raises(DataError, match="cut short"):
        open_dataset(path)


def test_an_array_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array beyond the bound is refused by what the archive says of it."""
    monkeypatch.setattr("shared.datasets.npz.MOST_ARRAY_BYTES", 1000)
    with pytest.raises(DataError, match="the most that is read"):
        open_dataset(saved(tmp_path / "set.npz", X=pictures(), y=LABELS))


def test_elements_of_no_size_are_refused_however_many(tmp_path: Path) -> None:
    """A header of a few bytes that claims billions of empty strings makes no room for them."""
    header = b"{'descr': '|S0', 'fortran_order': False, 'shape': (9999999999,)}\n"
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(DataError, match="elements of no size"):
        open_dataset(path)
