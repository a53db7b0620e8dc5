"""The files of a folder, a zip or a tar, read the same way from each, and never written out.

Bytes from outside are bounded: a member that unpacks to more than ``MOST_MEMBER_BYTES`` is not read, and a name that
would lead out of the archive is left out.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

from shared.datasets.report import TOO_LARGE, UNSAFE_NAME, Tally
from shared.errors import DataError

MOST_MEMBER_BYTES = 32 << 20
"""A file that unpacks to more is no picture of a symbol and no expression."""

MOST_TAR_BYTES = 2 << 30
"""The files of a tar are held in memory, for a compressed tar can only be read in order; so much in all."""

_UNPACK: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""What opens a compressed tar, by the bytes it begins with."""

_JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")


class UnreadableError(Exception):
    """One member cannot be read; the message is the reason, as a report states it."""


class Members(Protocol):
    """The files of one source, by their names relative to it, with ``/`` between folders.

    Attributes:
        names: the files, in the order of their names.
    """

    names: list[str]

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        """Return a file's bytes.

        Raises:
            UnreadableError: it is damaged, encrypted, gone, or larger than ``most_bytes``.
        """
        ...


@contextmanager
def open_members(path: Path, *, tally: Tally, follow_links: bool = True) -> Iterator[Members]:
    """Open a folder, zip, tar or single file for reading.

    Args:
        path: what to open.
        tally: told of names that lead out of the archive.
        follow_links: read files that are symbolic links; not to be done in what a stranger's archive unpacked to.

    Raises:
        DataError: the path cannot be opened, or is a damaged archive.
    """
    with ExitStack() as stack:
        try:
            members: Members
            if path.is_dir():
                members = _Folder(path, follow_links=follow_links)
            elif zipfile.is_zipfile(path):
                members = _Zip(stack.enter_context(zipfile.ZipFile(path)), tally)
            elif _starts(path, b"PK\x03\x04") or path.suffix.lower() == ".zip":
                raise DataError(f"{path} is a damaged or incomplete zip; download or copy it again")
            elif (archive := _tar(path, stack)) is not None:
                members = _Tar(archive, path, tally)
            else:
                members = _File(path)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise DataError(f"{path} is a damaged or incomplete archive; download or copy it again") from error
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from error
        yield members


class _Folder:
    def __init__(self, root: Path, *, follow_links: bool) -> None:
        self._root = root
        found = []
        for folder, _, files in os.walk(root, onerror=_raise):
            here = Path(folder).relative_to(root).as_posix()
            for name in files:
                full = name if here == "." else f"{here}/{name}"
                if _is_wanted(full) and (follow_links or not Path(folder, name).is_symlink()):
                    found.append(full)
        self.names = sorted(found)

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        return _read_file(self._root / name, most_bytes)


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = [path.name]

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        return _read_file(self._path, most_bytes)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile, tally: Tally) -> None:
        self._archive = archive
        self._entries = {
            entry.filename: entry
            for entry in archive.infolist()
            if not entry.is_dir() and _is_safe(entry.filename, tally) and _is_wanted(entry.filename)
        }
        self.names = sorted(self._entries)

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        entry = self._entries[name]
        if entry.flag_bits & 1:
            raise UnreadableError("encrypted")
        if entry.file_size > most_bytes:
            raise UnreadableError(TOO_LARGE)
        try:
            with self._archive.open(entry) as file:
                # What the directory claims may be a lie; the bound holds for what comes out.
                data = file.read(most_bytes + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise UnreadableError("damaged in the archive") from error
        if len(data) > most_bytes:
            raise UnreadableError(TOO_LARGE)
        return data


class _Tar:
    def __init__(self, archive: tarfile.TarFile, path: Path, tally: Tally) -> None:
        self._files: dict[str, bytes] = {}
        self._too_large: set[str] = set()
        total = 0
        for entry in archive:
            name = entry.name.removeprefix("./")
            if not entry.isfile() or not _is_safe(name, tally) or not _is_wanted(name):
                continue
            if entry.size > MOST_MEMBER_BYTES:
                self._too_large.add(name)
                continue
            total += entry.size
            if total > MOST_TAR_BYTES:
                raise _unpacks_to_too_much(path)
            file = archive.extractfile(entry)
            if file is not None:
                self._files[name] = file.read()
        self.names = sorted({*self._files, *self._too_large})

    def read(self, name: str, *, most_bytes: int = MOST_MEMBER_BYTES) -> bytes:
        if name in self._too_large or len(self._files[name]) > most_bytes:
            raise UnreadableError(TOO_LARGE)
        return self._files[name]


class _Bounded:
    """What a compressed tar unpacks to, as a file that may be read and skipped forward so far and no farther.

    What `tarfile` passes over, a large member or a header without end, has to be unpacked as well: the bound holds for
    that too.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path

    def read(self, size: int = -1) -> bytes:
        left = MOST_TAR_BYTES - self._file.tell()
        data = self._file.read(left + 1 if size < 0 else min(size, left + 1))
        if len(data) > left:
            raise _unpacks_to_too_much(self._path)
        return data

    def seek(self, to: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or to > MOST_TAR_BYTES:
            raise _unpacks_to_too_much(self._path)
        return self._file.seek(to)

    def tell(self) -> int:
        return self._file.tell()


def _tar(path: Path, stack: ExitStack) -> tarfile.TarFile | None:
    """Open a tar, plain or compressed; None if it is none."""
    unpack = next((unpack for magic, unpack in _UNPACK.items() if _starts(path, magic)), None)
    try:
        if unpack is None:
            return stack.enter_context(tarfile.open(path, "r:"))
        file = _Bounded(stack.enter_context(unpack(path)), path)
        return stack.enter_context(tarfile.open(fileobj=cast(IO[bytes], file), mode="r:"))
    except (tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError):
        return None


def _unpacks_to_too_much(path: Path) -> DataError:
    return DataError(f"{path} unpacks to more than {MOST_TAR_BYTES / 2**30:.0f} GiB; unpack it to a folder")


def folder_of(name: str) -> str:
    """Return the name of the folder that a file is in; empty at the top."""
    return name.rpartition("/")[0].rpartition("/")[2]


def _read_file(path: Path, most_bytes: int) -> bytes:
    try:
        if not path.is_file():  # before it is opened: a pipe opens when somebody writes to it
            raise UnreadableError("not a plain file")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({error.strerror or error})") from error
    if len(data) > most_bytes:
        raise UnreadableError(TOO_LARGE)
    return data


def _is_safe(name: str, tally: Tally) -> bool:
    parts = name.replace("\\", "/").split("/")
    safe = parts[0] != "" and ".." not in parts and parts[0][1:2] != ":"
    if not safe:
        tally.leave_out(UNSAFE_NAME, repr(name))
    return safe


def _is_wanted(name: str) -> bool:
    parts = name.split("/")
    return not any(part in _JUNK for part in parts) and not parts[-1].startswith(".")


def _starts(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def _raise(error: OSError) -> None:
    raise error
