"""The Kaggle set "Handwritten math symbols" (xainano): a zip around a ``.rar`` of 82 folders of 45×45 JPEG pictures."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.dataset import Dataset
from shared.datasets.image_folder import read_image_folder
from shared.datasets.members import Members, UnreadableError, folder_of, open_members
from shared.datasets.pictures import is_picture
from shared.datasets.report import Progress, Tally
from shared.errors import DataError, StorageError
from shared.files import write_bytes
from shared.labels import LabelSet

LAYOUT = 'the Kaggle set "Handwritten math symbols"'

MOST_RAR_BYTES = 1 << 30
"""The genuine ``.rar`` has about 250 MB."""

_UNPACK_S = 1800.0
_FOLDER = "extracted_images"
# fmt: off
_FOLDERS = frozenset((
    "!", "(", ")", "+", ",", "-", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "=", "A", "C", "Delta", "G", "H",
    "M", "N", "R", "S", "T", "X", "[", "]", "alpha", "ascii_124", "b", "beta", "cos", "d", "div", "e", "exists", "f",
    "forall", "forward_slash", "gamma", "geq", "gt", "i", "in", "infty", "int", "j", "k", "l", "lambda", "ldots",
    "leq", "lim", "log", "lt", "mu", "neq", "o", "p", "phi", "pi", "pm", "prime", "q", "rightarrow", "sigma", "sin",
    "sqrt", "sum", "tan", "theta", "times", "u", "v", "w", "y", "z", "{", "}",
))
# fmt: on

# In order of preference. {rar} and {out} are replaced.
_UNPACKERS = (
    ("unar", "-quiet", "-force-overwrite", "-no-directory", "-output-directory", "{out}", "{rar}"),
    ("unrar", "x", "-inul", "-o+", "-y", "{rar}", "{out}/"),
    ("bsdtar", "-xf", "{rar}", "-C", "{out}"),
    ("7zz", "x", "-y", "-bd", "-o{out}", "{rar}"),
    ("7z", "x", "-y", "-bd", "-o{out}", "{rar}"),
)


def is_kaggle(names: Iterable[str]) -> bool:
    """Say whether pictures lie in this set's folders: under ``extracted_images``, or in most of its 82 folders.

    The set has a folder ``X`` and none called ``x``.
    """
    pictures = [name for name in names if is_picture(name)]
    folders = {folder_of(name) for name in pictures}
    if "x" in folders:
        return False
    under = any(_FOLDER in name.split("/")[:-1] for name in pictures)
    return under or ("X" in folders and len(folders & _FOLDERS) > len(_FOLDERS) / 2)


def read_kaggle(
    members: Members, *, labels: LabelSet | None, tally: Tally, progress: Progress | None = None
) -> Dataset:
    """Read the set's folders. Its ``X`` holds the lower-case x."""
    tally.note("The folder X of this set holds the lower-case x, and is taken as x.")
    return read_image_folder(members, labels=labels, tally=tally, progress=progress, renamed={"X": "x"})


def rar_members(names: Iterable[str]) -> list[str]:
    """Return those of the names that are RAR archives."""
    return [name for name in names if name.lower().endswith(".rar")]


@contextmanager
def unpacked(path: Path, rar: Path | bytes, *, tally: Tally) -> Iterator[Members]:
    """Unpack a RAR archive to a folder that is gone afterwards, with whichever tool this machine has.

    Args:
        path: what the user gave, for messages.
        rar: the archive, as a file or as bytes.
        tally: told of what is left out.

    Raises:
        DataError: no tool is installed, or the archive is damaged.
        StorageError: there is no room to unpack it.
    """
    command = _unpacker()
    if command is None:
        raise DataError(
            f"{path} holds its pictures in a .rar, and nothing here unpacks that: "
            "install unar (sudo apt install unar), unrar or bsdtar (libarchive-tools) and run this again"
        )
    with tempfile.TemporaryDirectory(prefix="inkfleet-") as folder:
        if isinstance(rar, bytes):
            file = Path(folder, "archive.rar")
            write_bytes(file, rar)
        else:
            file = rar.absolute()
        out = Path(folder, "unpacked")
        out.mkdir()
        _run([part.format(rar=file, out=out) for part in command], path=path)
        with open_members(out, tally=tally, follow_links=False) as members:
            if not members.names:
                raise DataError(f"{path}: {command[0]} unpacked nothing from the .rar; download it again")
            yield members


def read_rar(members: Members, name: str, *, path: Path) -> bytes:
    """Take the RAR archive out of the zip or folder around it.

    Raises:
        DataError: it is damaged, or larger than any genuine one.
    """
    try:
        return members.read(name, most_bytes=MOST_RAR_BYTES)
    except UnreadableError as error:
        raise DataError(f"{path}: {name} is {error}; download the set again") from error


def _unpacker() -> Sequence[str] | None:
    return next((command for command in _UNPACKERS if shutil.which(command[0])), None)


def _run(command: list[str], *, path: Path) -> None:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_UNPACK_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{path}: {command[0]} did not end within {_UNPACK_S / 60:.0f} minutes") from error
    except OSError as error:
        raise StorageError(f"cannot run {command[0]}: {error.strerror or error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        reason = f": {said[-1].strip()}" if said else ""
        raise DataError(f"{path}: {command[0]} could not unpack the .rar (exit code {done.returncode}{reason})")
