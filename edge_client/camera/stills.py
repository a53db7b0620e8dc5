"""Pictures that stand still: one, or a folder of them in natural order."""

from __future__ import annotations

import re
from pathlib import Path

from edge_client.camera.frame import Picture
from edge_client.pictures import read_picture
from shared.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".pgm", ".ppm", ".pbm")

DEFAULT_PACE_S = 2.0


class Stills:
    """One picture, or the pictures of a folder, one after the other.

    Args:
        path: a picture, or a folder; folders inside it are not looked at.
        pace_s: how long each is shown, in seconds; None for `DEFAULT_PACE_S`.
    """

    live = False
    still = True

    def __init__(self, path: Path, *, pace_s: float | None = None) -> None:
        self.name = f"{'folder' if path.is_dir() else 'picture'} {path}"
        self.title = str(path)
        self.interval_s = DEFAULT_PACE_S if pace_s is None else pace_s
        self._path = path
        self._left: list[Path] = []

    def open(self) -> None:
        """List the pictures."""
        if not self._path.is_dir():
            self._left = [self._path]
            return
        try:
            files = [path for path in self._path.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
        except OSError as error:
            raise DataError(f"{self.name}: {error.strerror or error}") from None
        if not files:
            raise DataError(f"{self.name} has no pictures ({', '.join(suffix[1:] for suffix in SUFFIXES)})")
        self._left = sorted(files, key=_natural, reverse=True)

    def next(self, *, skip: int = 0) -> Picture | None:
        """Load the next picture."""
        del self._left[len(self._left) - skip :]
        if not self._left:
            return None
        path = self._left.pop()
        self.title = str(path)
        return read_picture(path)

    def close(self) -> None:
        """Forget the list."""
        self._left = []


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Order by names as a person counts: 2 before 10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
