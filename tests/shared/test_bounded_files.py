"""Files that a person names: whatever is no plain file of a fitting size is refused in one line, at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.datasets import open_any
from deploy.reading_score import read_truths
from edge_client.pictures import read_picture
from shared.bounded_files import read_bounded, unreadable_kind
from shared.datasets import open_dataset
from shared.errors import DataError, InkfleetError, StorageError
from shared.settings import Settings
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import load_weights


class _Known(Settings):
    section = "device"


def _load_settings(path: Path) -> object:
    return _Known.load(given={}, environ={}, file=path)


def _load_weights(path: Path) -> object:
    return load_weights(path, builtin_bundle("arithmetic").manifest)


def _load_model(path: Path) -> object:
    (path.parent / "model").mkdir()
    (path.parent / "model" / "manifest.json").symlink_to(path)
    return ModelBundle.load(path.parent / "model")


READERS: dict[str, Callable[[Path], object]] = {
    "settings": _load_settings,
    "weights": _load_weights,
    "model": _load_model,
    "labels": read_truths,
    "data": open_any,
    "dataset": open_dataset,
    "picture": read_picture,
}


@pytest.fixture(params=["pipe", "device", "socket", "sparse"])
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Something that stands where a file should: reading it would wait, or never end, or take five gigabytes."""
    path = tmp_path / request.param
    with socket.socket(socket.AF_UNIX) as listener:
        match request.param:
            case "pipe":
                os.mkfifo(path)
            case "device":
                path.symlink_to("/dev/zero")
            case "socket":
                monkeypatch.chdir(tmp_path)  # a socket's name may be no longer than 108 bytes
                listener.bind("socket")
            case "sparse":
                path.touch()
                os.truncate(path, 5 << 30)
        yield path


@pytest.mark.parametrize("reads", READERS.values(), ids=READERS)
def test_no_reader_waits_for_what_never_ends(reads: Callable[[Path], object], odd: Path) -> None:
    """A pipe, a device, a socket and an enormous file are refused in one line by everything that reads files."""
    with pytest.raises(InkfleetError) as told:
        reads(odd)
    assert "\n" not in str(told.value)
    assert odd.name in str(told.value) or "manifest.json" in str(told.value)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """A file of exactly so many bytes is read; one more is too much, and the message gives both sizes."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 2048)
    assert read_bounded(path, what="a file", most_bytes=2048, error=DataError) == path.read_bytes()
    with pytest.raises(DataError, match=r"^a file .*file: expected at most 1 KiB, got 2 KiB$"):
        read_bounded(path, what="a file", most_bytes=1024, error=DataError)


def test_the_bound_holds_where_the_size_is_a_lie() -> None:
    """A file of /proc says that it is empty, and is not."""
    path = Path("/proc/self/smaps")
    assert path.stat().st_size == 0
    with pytest.raises(StorageError, match="expected at most 64 bytes, got 65 bytes"):
        read_bounded(path, what="a file", most_bytes=64, error=StorageError)


def test_what_is_no_file_is_called_by_its_name(tmp_path: Path) -> None:
    """A folder, a missing file and an impossible name each have their word."""
    with pytest.raises(DataError, match="expected a file, got a folder"):
        read_bounded(tmp_path, what="a file", most_bytes=1, error=DataError)
    with pytest.raises(DataError, match="No such file or directory"):
        read_bounded(tmp_path / "gone", what="a file", most_bytes=1, error=DataError)
    with pytest.raises(DataError, match="no file can be called so"):
        read_bounded(Path("a\0b"), what="a file", most_bytes=1, error=DataError)
    assert unreadable_kind(Path("/dev/null")) == "a device"
    assert not unreadable_kind(tmp_path)
    assert not unreadable_kind(tmp_path / "gone")
