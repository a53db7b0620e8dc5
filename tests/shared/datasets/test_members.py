"""The bound on what a tar may unpack to."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from shared.datasets import members
from shared.datasets.members import open_members
from shared.datasets.report import Tally
from shared.errors import DataError

BOUND = 1 << 20


@pytest.fixture(autouse=True)
def small_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte does for a test what gigabytes do outside."""
    monkeypatch.setattr(members, "MOST_TAR_BYTES", BOUND)


def packed(path: Path, mode: str, *, passed_over: int, **header: str) -> Path:
    """A tar with a small file that is wanted, behind one of so many bytes that is not."""
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT, pax_headers=header) as archive:  # type: ignore[call-overload]
        for name, data in ((".hidden", bytes(passed_over)), ("7/a.png", b"ink")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_is_bounded_with_what_is_passed_over(tmp_path: Path, mode: str) -> None:
    """To skip a member is to unpack it: one of gigabytes, packed into kilobytes, ends the reading in words."""
    path = packed(tmp_path / "bomb", mode, passed_over=3 * BOUND)
    with pytest.raises(DataError, match="unpacks to more than"), open_members(path, tally=Tally("a tar", "tar")):
        pass
    path = packed(tmp_path / "fine", mode, passed_over=BOUND // 2)
    with open_members(path, tally=Tally("a tar", "tar")) as found:
        assert found.names == ["7/a.png"]
        assert found.read("7/a.png") == b"ink"


def test_a_header_without_end_is_bounded(tmp_path: Path) -> None:
    """A tar's headers are read whole, before any member: they count as well."""
    path = packed(tmp_path / "bomb", "w:gz", passed_over=1, comment="x" * (3 * BOUND))
    with pytest.raises(DataError, match="unpacks to more than"), open_members(path, tally=Tally("a tar", "tar")):
        pass


def test_what_a_plain_tar_passes_over_costs_nothing(tmp_path: Path) -> None:
    """Nothing is unpacked where nothing was packed: a large member beside the pictures may stay."""
    with open_members(packed(tmp_path / "plain", "w", passed_over=3 * BOUND), tally=Tally("a tar", "tar")) as found:
        assert found.names == ["7/a.png"]


def test_a_compressed_file_that_is_no_tar_is_a_file(tmp_path: Path) -> None:
    """Whoever reads it says what is wrong with it."""
    path = tmp_path / "data.gz"
    path.write_bytes(gzip.compress(b"nothing" * 200))
    with open_members(path, tally=Tally("a tar", "tar")) as found:
        assert found.names == ["data.gz"]
