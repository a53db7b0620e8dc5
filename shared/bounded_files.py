"""Files that a person names: plain ones, up to a size. A pipe would never end, and ``/dev/zero`` not either."""

from __future__ import annotations

import stat
from pathlib import Path

from shared.errors import InkfleetError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bounded(path: Path, *, what: str, most_bytes: int, error: type[InkfleetError]) -> bytes:
    """Read a file whole.

    Args:
        path: the file; links are followed.
        what: it is, for the message: ``weights``.
        most_bytes: a larger one is refused before it is read.
        error: what to raise.

    Raises:
        InkfleetError: of the kind asked for: there is no such file, it is a folder, pipe or device, it is too large,
            or may not be read; one line.
    """
    try:
        found = path.stat()
        if kind := _KINDS.get(stat.S_IFMT(found.st_mode)):
            raise error(f"{what} {path}: expected a file, got {kind}")
        with path.open("rb") as file:
            data = b""
            if found.st_size <= most_bytes:
                data = file.read(found.st_size + 1)  # and not more: memory is taken for what is asked for
                if len(data) > found.st_size:
                    # What the size says may be a lie, or change: the bound holds for what is read.
                    data += file.read(most_bytes + 1 - len(data))
    except OSError as fault:
        raise error(f"{what} {path}: {fault.strerror or fault}") from fault
    except ValueError:  # a NUL in the name
        raise error(f"{what} {str(path)!r}: no file can be called so") from None
    if len(data) > most_bytes or found.st_size > most_bytes:
        raise error(f"{what} {path}: expected at most {_size(most_bytes)}, got {_size(max(len(data), found.st_size))}")
    return data


def unreadable_kind(path: Path) -> str:
    """Say what is neither file nor folder, ``a pipe``; empty for those two, and for what is not there."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return "" if stat.S_ISDIR(mode) else _KINDS.get(stat.S_IFMT(mode), "")


def _size(count: int) -> str:
    for unit, scale in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:,.0f} {unit}"
    return f"{count} bytes"
