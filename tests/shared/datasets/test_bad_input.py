"""What cannot be used is said in one line, and what a stranger packed does no harm."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.datasets import open_dataset
from shared.errors import DataError


def one_line(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def symbol() -> bytes:
    image = np.full((30, 30), 255, np.uint8)
    image[4:26, 14:16] = 0
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def png_of(width: int, height: int) -> bytes:
    """Make a whole PNG that claims a size, with next to nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def make_nothing(path: Path) -> None:
    pass


def make_text(path: Path) -> None:
    path.write_text("hello")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_folder_of_text(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("hello")


def make_pictures_without_folders(path: Path) -> None:
    path.mkdir()
    (path / "a.png").write_bytes(symbol())


def make_pictures_that_are_none(path: Path) -> None:
    (path / "1").mkdir(parents=True)
    (path / "1" / "a.png").write_bytes(b"no")


def make_blank_paper(path: Path) -> None:
    (path / "1").mkdir(parents=True)
    (path / "1" / "a.png").write_bytes(cv2.imencode(".png", np.full((9, 9), 255, np.uint8))[1].tobytes())


def make_empty_zip(path: Path) -> None:
    zipfile.ZipFile(path, "w").close()


def make_broken_zip(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 and no more")


def make_one_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 45, 45), np.uint8))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (make_nothing, "no dataset is at"),
        (make_text, "is no dataset; give an npz"),
        (make_folder, "is empty"),
        (make_folder_of_text, ".txt"),
        (make_pictures_without_folders, "no folder named by a label"),
        (make_pictures_that_are_none, "not a picture"),
        (make_blank_paper, "blank"),
        (make_empty_zip, "is empty"),
        (make_broken_zip, "damaged or incomplete"),
        (make_one_array, "np.savez"),
    ],
)
def test_a_path_that_cannot_be_used_is_one_clear_line(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    """Each wrong path is an error of one line that names it and says what is wrong."""
    path = tmp_path / "set"
    make(path)
    assert says in one_line(path)


def test_a_name_that_leads_out_of_the_archive_is_left_out(tmp_path: Path) -> None:
    """Members named ``../`` or from the root are not read, and are counted; nothing is written anywhere."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("1/a.png", "../1/b.png", "/1/c.png", "1/../../d.png", "C:/1/e.png"):
            archive.writestr(name, symbol())
    report = open_dataset(path).report
    assert report.samples == 1
    assert [(one.reason, one.count) for one in report.left_out] == [("named outside the archive", 4)]
    assert [file.name for file in tmp_path.iterdir()] == ["set.zip"]


def test_a_member_that_unpacks_too_large_is_left_out(tmp_path: Path) -> None:
    """A small member that unpacks to 64 MiB is never held whole."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1/a.png", symbol())
        archive.writestr("1/bomb.png", bytes(64 << 20))
    (left_out,) = open_dataset(path).report.left_out
    assert (left_out.reason, left_out.examples) == ("too large to be one symbol", ("1/bomb.png",))


def test_a_picture_that_claims_too_many_pixels_is_left_out(tmp_path: Path) -> None:
    """A PNG of a few bytes that claims 60,000 by 60,000 pixels is not decoded."""
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "a.png").write_bytes(symbol())
    (tmp_path / "1" / "bomb.png").write_bytes(png_of(60_000, 60_000))
    (left_out,) = open_dataset(tmp_path).report.left_out
    assert left_out.reason == "too large to be one symbol"


def test_an_encrypted_member_is_left_out(tmp_path: Path) -> None:
    """An encrypted member is counted as such."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1/a.png", symbol())
        archive.writestr("1/b.png", symbol())
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")  # the directory's entry of the second member
    data[at + 8] |= 1
    path.write_bytes(bytes(data))
    (left_out,) = open_dataset(path).report.left_out
    assert (left_out.reason, left_out.count) == ("encrypted", 1)


@pytest.mark.parametrize("name", ["__MACOSX/1/._a.png", "1/.DS_Store", "1/Thumbs.db"])
def test_what_systems_leave_behind_is_no_loss(name: str, tmp_path: Path) -> None:
    """Files that operating systems add are passed over without a word."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1/a.png", symbol())
        archive.writestr(name, b"junk")
    assert not open_dataset(path).report.left_out


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp", ".gif"])
def test_damaged_pictures_are_counted_in_silence(
    ending: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A picture cut short at any place, or overwritten with zeros, never ends the import or writes to the terminal."""
    rng = np.random.default_rng(0)
    image = np.full((40, 40, 3), 255, np.uint8)
    image[5:35, 15:25] = rng.integers(0, 60, (30, 10, 3))
    whole = cv2.imencode(ending, image)[1].tobytes()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "whole.png").write_bytes(symbol())
    for i, cut in enumerate(np.linspace(0, len(whole) - 1, 12).astype(int)):
        (tmp_path / "1" / f"cut{i}{ending}").write_bytes(whole[:cut])
        if ending == ".png":
            (tmp_path / "1" / f"zero{i}{ending}").write_bytes(whole[:cut] + bytes(len(whole) - cut))
    report = open_dataset(tmp_path).report
    assert report.samples >= 1
    assert capfd.readouterr().err == ""
