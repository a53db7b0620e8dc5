"""Where a command's pictures go: a file, or a folder with one for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from deploy.reading.answer import Answer
from edge_client.vision.trace import Picture
from shared.errors import SettingsError
from shared.files import write_bytes

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
"""The pictures that are written."""


@dataclass
class NamesInUse:
    """Names for what comes of each file, none given twice: ``page``, ``page-2`` of another folder's ``page.jpg``."""

    _taken: set[str] = field(default_factory=set)

    def free(self, name: str) -> str:
        """Return the name, or the next one like it that is free."""
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name}-{number}"
        self._taken.add(free)
        return free


class Drawings:
    """Where the readings of a command are drawn.

    Args:
        out: a picture, or a folder, which is made.
        files: how many are read.

    Raises:
        SettingsError: it is a single picture and there are several files, or no picture that can be written.
    """

    def __init__(self, out: Path, *, files: int) -> None:
        self._out = out
        self._names = NamesInUse()
        self._is_folder = out.is_dir() or not out.suffix
        if not self._is_folder and files > 1:
            raise SettingsError(f"--overlay {out} is one picture, and {files} files are read; give a folder")
        if not self._is_folder:
            check_picture_name(out, option="--overlay")
        elif out.exists() and not out.is_dir():
            raise SettingsError(f"--overlay {out} is a file; give a folder, or a name that ends with .png")

    def add(self, answer: Answer) -> None:
        """Draw one reading. Of a video, a single picture shows the last one.

        Raises:
            StorageError: it cannot be written.
        """
        path = self._out / f"{self._names.free(short_name(answer))}.png" if self._is_folder else self._out
        write_picture(path, drawn(answer))


def drawn(answer: Answer) -> Picture:
    """Return a reading drawn on its picture."""
    from edge_client.live.overlay import draw_reading

    return draw_reading(answer.picture, answer.reading, values=answer.values)


def short_name(answer: Answer) -> str:
    """Return the name for what comes of an answer: the file's without its ending, and the frame's number."""
    stem = Path(answer.name).stem
    return stem if answer.frame is None else f"{stem}-{answer.frame}"


def check_picture_name(path: Path, *, option: str) -> None:
    """Make sure that a picture can be written under a name.

    Raises:
        SettingsError: its ending is of no picture that is written.
    """
    if path.suffix.lower() not in ENDINGS:
        raise SettingsError(f"{option} {path}: expected a name that ends with {', '.join(ENDINGS)}")
    if path.is_dir():
        raise SettingsError(f"{option} {path} is a folder; give the name of a picture")


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture, whole or not at all; its folder is made.

    Raises:
        StorageError: it cannot be written.
    """
    import cv2

    _, data = cv2.imencode(path.suffix.lower(), picture)
    write_bytes(path, data.tobytes())
