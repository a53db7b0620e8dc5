"""Finds out which of the known layouts a path has."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path, PurePosixPath

from shared.bounded_files import unreadable_kind
from shared.dataset import Dataset
from shared.datasets import hasy, image_folder, inkml, kaggle, npz
from shared.datasets.members import Members, open_members
from shared.datasets.pictures import is_picture
from shared.datasets.report import Progress, Tally
from shared.errors import DataError
from shared.labels import LabelSet

_LOCAL_HEADER = struct.Struct("<26xH2x")  # of a zip's member (APPNOTE 4.3.7): all but the length of its name

KNOWN = "an npz, a folder or zip of <label>/<picture>, the Kaggle zip, CROHME InkML or HASYv2"


def read_any(
    path: Path,
    *,
    labels: LabelSet | None,
    tally: Tally,
    ink_width_px: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a dataset of whichever layout; the tally learns which it was.

    Raises:
        DataError: there is nothing there, or nothing of a known layout.
    """
    if not path.exists():
        raise DataError(f"no dataset is at {path}; check the path")
    if kind := unreadable_kind(path):
        raise DataError(f"{path} is {kind}; give {KNOWN}")
    if _is_npz(path):
        tally.layout = npz.LAYOUT
        if ink_width_px is not None:
            _note_ink_width(tally)
        return npz.read_npz(path, labels=labels, tally=tally)
    if _starts(path, b"\x93NUMPY"):
        raise DataError(f"{path} is one array without labels; save both with np.savez(FILE, X=pictures, y=labels)")
    if _starts(path, b"Rar!"):
        with kaggle.unpacked(path, path, tally=tally) as members:
            return _read(members, path, labels, tally, ink_width_px, progress)
    with open_members(path, tally=tally) as members:
        rars = kaggle.rar_members(members.names)
        if rars and not any(is_picture(name) for name in members.names):
            rar = kaggle.read_rar(members, rars[0], path=path)
            with kaggle.unpacked(path, rar, tally=tally) as inside:
                return _read(inside, path, labels, tally, ink_width_px, progress)
        return _read(members, path, labels, tally, ink_width_px, progress)


def _read(
    members: Members,
    path: Path,
    labels: LabelSet | None,
    tally: Tally,
    ink_width_px: float | None,
    progress: Progress | None,
) -> Dataset:
    names = members.names
    if any(inkml.is_inkml(name) for name in names):
        tally.layout = inkml.LAYOUT
        return inkml.read_inkml(members, labels=labels, tally=tally, ink_width_px=ink_width_px, progress=progress)
    if ink_width_px is not None:
        _note_ink_width(tally)
    table = hasy.table_of(names)
    if table is not None:
        tally.layout = hasy.LAYOUT
        return hasy.read_hasy(members, table, labels=labels, tally=tally, progress=progress)
    if kaggle.is_kaggle(names):
        tally.layout = kaggle.LAYOUT
        return kaggle.read_kaggle(members, labels=labels, tally=tally, progress=progress)
    if any(is_picture(name) for name in names):
        tally.layout = image_folder.LAYOUT
        return image_folder.read_image_folder(members, labels=labels, tally=tally, progress=progress)
    if not names:
        raise DataError(f"{path} is empty; give {KNOWN}")
    if path.is_file() and names == [path.name]:
        raise DataError(f"{path} is no dataset; give {KNOWN}")
    kinds = Counter(PurePosixPath(name).suffix or PurePosixPath(name).name for name in names)
    held = ", ".join(kind for kind, _ in kinds.most_common(5))
    raise DataError(f"{path} is of no layout that is known (it holds {held}); give {KNOWN}")


def _is_npz(path: Path) -> bool:
    """Say whether a file is an npz by its name, or by the name of the first member of the zip that it is."""
    if path.is_dir():
        return False
    if path.suffix.lower() == ".npz":
        return True
    try:
        with path.open("rb") as file:
            head = file.read(_LOCAL_HEADER.size)
            if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
                return False
            (length,) = _LOCAL_HEADER.unpack(head)
            name = file.read(length)
    except OSError:
        return False
    return name.endswith(b".npy") and b"/" not in name


def _starts(path: Path, magic: bytes) -> bool:
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


def _note_ink_width(tally: Tally) -> None:
    tally.note("The ink width was not used: it is for ink that comes as strokes, and these are pictures.")
