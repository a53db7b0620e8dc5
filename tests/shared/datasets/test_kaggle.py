"""The Kaggle set: its folders, its X, and the archive inside the archive."""

from __future__ import annotations

import io
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.datasets import open_dataset
from shared.datasets.kaggle import is_kaggle
from shared.errors import DataError

# What bsdtar does with these arguments, done by tar: `bsdtar -xf FILE -C FOLDER`.
STAND_IN = '#!/bin/sh\nexec {tar} "$1" "$2" "$3" "$4"\n'


def jpeg() -> bytes:
    image = np.full((45, 45), 255, np.uint8)
    image[:, 21:24] = 0
    return bytes(cv2.imencode(".jpg", image)[1].tobytes())


def rar_of(names: list[str], *, more: Any = None) -> bytes:
    """Pack what the stand-in unpacks."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(jpeg())
            archive.addfile(entry, io.BytesIO(jpeg()))
        if more is not None:
            archive.addfile(more)
    return packed.getvalue()


@pytest.fixture
def bsdtar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which bsdtar is the one tool."""
    tar = shutil.which("tar")
    assert tar
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "bsdtar"
    tool.write_text(STAND_IN.format(tar=tar))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return tool


def archive(tmp_path: Path, rar: bytes) -> Path:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data.rar", rar)
    return path


def test_the_rar_inside_is_unpacked_where_a_tool_is_installed(
    bsdtar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pictures inside the ``.rar`` are read, X as x, and nothing is left on the disk."""
    rar = rar_of(["extracted_images/X/a.jpg", "extracted_images/div/b.jpg"])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    imported = open_dataset(archive(tmp_path, rar))
    assert imported.dataset.counts() == {"x": 1, "div": 1}
    assert "Kaggle" in imported.report.layout
    assert any("lower-case x" in note for note in imported.report.notes)
    assert list(scratch.iterdir()) == []


def test_a_bare_rar_is_read_too(bsdtar: Path, tmp_path: Path) -> None:
    """The ``.rar`` by itself opens, by its first bytes and whatever its name."""
    # A RAR begins with its mark, which tar does not know: the stand-in passes over it.
    tail, tar = shutil.which("tail", path="/usr/bin:/bin"), shutil.which("tar", path="/usr/bin:/bin")
    bsdtar.write_text(f'#!/bin/sh\n{tail} -c +9 "$2" | {tar} -xf - -C "$4"\n')
    path = tmp_path / "data.bin"
    path.write_bytes(b"Rar!\x1a\x07\x01\x00" + rar_of(["extracted_images/5/a.jpg"]))
    assert open_dataset(path).dataset.counts() == {"5": 1}


def test_without_a_tool_the_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can unpack the ``.rar``, the one line names tools to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError) as caught:
        open_dataset(archive(tmp_path, b"Rar!"))
    message = str(caught.value)
    assert all(tool in message for tool in ("unar", "unrar", "bsdtar", "install"))
    assert "\n" not in message


def test_a_damaged_rar_is_one_line(bsdtar: Path, tmp_path: Path) -> None:
    """What the tool says of a damaged archive ends up in one line."""
    with pytest.raises(DataError, match="bsdtar could not unpack") as caught:
        open_dataset(archive(tmp_path, b"no archive at all"))
    assert "\n" not in str(caught.value)


def test_a_link_inside_the_rar_is_not_followed(bsdtar: Path, tmp_path: Path) -> None:
    """A symbolic link that a stranger packed does not make files of this machine part of the set."""
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(jpeg())
    link = tarfile.TarInfo("extracted_images/7/secret.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, str(secret)
    imported = open_dataset(archive(tmp_path, rar_of(["extracted_images/5/a.jpg"], more=link)))
    assert imported.dataset.counts() == {"5": 1}


def test_pictures_beside_the_rar_are_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that was unpacked already, with the ``.rar`` still beside it, needs no tool."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "set" / "extracted_images" / "5").mkdir(parents=True)
    (tmp_path / "set" / "extracted_images" / "5" / "a.jpg").write_bytes(jpeg())
    (tmp_path / "set" / "data.rar").write_bytes(b"Rar!")
    report = open_dataset(tmp_path / "set").report
    assert report.labels == {"5": 1}
    assert report.left_out[0].examples == ("data.rar",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["extracted_images/5/a.jpg"], True),
        (["5/a.jpg", "X/a.jpg"], False),
        (["extracted_images/x/a.jpg", "extracted_images/X/a.jpg"], False),
        (["extracted_images/readme.txt"], False),
    ],
)
def test_only_the_kaggle_set_reads_x_for_a_capital(names: list[str], expected: bool) -> None:
    """A user's own folder X stays a capital X."""
    assert is_kaggle(names) is expected
