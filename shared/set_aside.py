"""Setting a damaged SQLite database aside: renamed with the files beside it, never deleted."""

from __future__ import annotations

from pathlib import Path

from shared.errors import StorageError

_BESIDE = ("", "-wal", "-shm")


def set_aside(database: Path, *, stamp: str) -> Path | None:
    """Rename ``NAME.sqlite`` and what SQLite keeps beside it to ``NAME.damaged-STAMP.sqlite``.

    Where that name is taken, a number makes it another: what was set aside before is left alone.

    Args:
        database: the file.
        stamp: the time, as it may stand in a file's name.

    Returns:
        The database's new name; None if there was no such file, only some of those beside it, or nothing.

    Raises:
        StorageError: it cannot be renamed.
    """
    there = database.exists()
    kept = database.with_name(f"{database.stem}.damaged-{stamp}{database.suffix}")
    number = 1
    while any(_beside(kept, suffix).exists() for suffix in _BESIDE):
        number += 1
        kept = database.with_name(f"{database.stem}.damaged-{stamp}-{number}{database.suffix}")
    try:
        for suffix in _BESIDE:
            source = _beside(database, suffix)
            if source.exists():
                source.rename(_beside(kept, suffix))
    except OSError as error:
        raise StorageError(f"{database} is damaged and cannot be set aside: {error.strerror or error}") from None
    return kept if there else None


def copies(database: Path) -> list[Path]:
    """List the files under which databases of this name were set aside."""
    return sorted(file for file in database.parent.glob(f"{database.stem}.damaged-*") if file.is_file())


def _beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)
