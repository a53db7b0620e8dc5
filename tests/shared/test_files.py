"""Files are whole or not there, on a full disk too."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from shared.dataset import Dataset
from shared.errors import StorageError
from shared.files import remove_unfinished, write_atomically, write_bytes


@contextmanager
def room_for(most_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """After the block the new bytes are there, and nothing beside them."""
    write_bytes(tmp_path / "a", b"old")
    with write_atomically(tmp_path / "a") as file:
        file.write(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    """The folder of a file comes into being with it."""
    write_bytes(tmp_path / "one" / "two" / "a", b"x")
    assert (tmp_path / "one" / "two" / "a").read_bytes() == b"x"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file(error: type[BaseException], tmp_path: Path) -> None:
    """An error or Ctrl-C inside the block changes nothing and leaves nothing."""
    write_bytes(tmp_path / "a", b"old")

    def fail() -> None:
        with write_atomically(tmp_path / "a") as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path: Path) -> None:
    """When the bytes do not fit, the error names the file, the old one stands, and no part lies beside it."""
    write_bytes(tmp_path / "a", b"old")
    with room_for(1000), pytest.raises(StorageError, match=f"cannot write {tmp_path / 'a'}") as caught:
        write_bytes(tmp_path / "a", bytes(2000))
    assert "\n" not in str(caught.value)
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_dataset_on_a_full_disk_is_not_half_written(tmp_path: Path) -> None:
    """Saving a dataset where there is no room is a storage error, and leaves no file."""
    images = np.random.default_rng(0).integers(0, 256, (20, 45, 45)).astype(np.uint8)
    dataset = Dataset(images, np.array(["1"] * 20), np.array([""] * 20))
    with room_for(1000), pytest.raises(StorageError):
        dataset.save(tmp_path / "a.npz")
    assert names(tmp_path) == []


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """A folder in the place of the file, or a file in the place of its folder, is a storage error."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "folder", tmp_path / "file" / "a"):
        with pytest.raises(StorageError, match="cannot write"):
            write_bytes(path, b"x")
    assert names(tmp_path) == ["file", "folder"]


def test_what_a_killed_write_left_behind_is_swept_up(tmp_path: Path) -> None:
    """Unfinished files of this folder go; finished ones, and other hidden files, stay."""
    write_bytes(tmp_path / "a.json", b"{}")
    (tmp_path / ".hidden").write_bytes(b"x")
    with write_atomically(tmp_path / "b.json") as file:
        file.write(b"half")
        (unfinished,) = tmp_path.glob(".b.json.*")
        copy = unfinished.read_bytes()
    left = tmp_path / unfinished.name
    left.write_bytes(copy)
    assert remove_unfinished(tmp_path, tmp_path / "absent") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.json", "b.json"]
