"""Every step of a reading as a picture: numbered files, a sheet of all of them, and a page that shows them."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from deploy.reading.answer import Answer, in_words
from deploy.reading.drawn import NamesInUse, drawn, short_name, write_picture
from edge_client.vision.trace import Picture, PictureTrace
from shared.errors import SettingsError
from shared.files import write_bytes

SHEET = "steps.png"
INDEX = "index.html"

_TILE_PX, _COLUMNS, _TITLE_PX, _GAP_PX = 560, 3, 34, 12
_BACK, _INK = (246, 244, 242), (40, 32, 28)
_LONGEST_PX = 2400  # a side of a picture that is written; more is not looked at
_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>How it was read</title><style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}
body{color:#1c2430;background:#f4f5f6}
pre{font-size:1.05rem;background:#fff;padding:.7rem 1rem;border-radius:.5rem;overflow:auto}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(22rem,1fr));gap:1rem}
figure{margin:0;background:#fff;padding:.6rem;border-radius:.5rem}
img{width:100%;display:block}figcaption{padding-top:.4rem}small{color:#5b6673}
@media(prefers-color-scheme:dark){body{background:#14181d;color:#e6e9ec}pre,figure{background:#1e242b}small{color:#9aa5b1}}
</style></head><body>
"""


class DebugFolder:
    """A folder with every step of every picture that is read.

    Args:
        folder: is made; of several files, each has a folder of its own in it.
        files: how many are read.

    Raises:
        SettingsError: it is a file.
    """

    def __init__(self, folder: Path, *, files: int) -> None:
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"--debug {folder} is a file; give a folder")
        self._folder = folder
        self._several = files > 1
        self._names = NamesInUse()
        self._sections: list[str] = []

    def add(self, answer: Answer, trace: PictureTrace) -> None:
        """Write the steps of one reading, and the sheet of all of them.

        Raises:
            StorageError: a file cannot be written.
        """
        under = self._names.free(short_name(answer)) if self._several or answer.frame is not None else ""
        pictures = [("picture", answer.picture), *trace.pictures, ("reading", drawn(answer))]
        files = []
        for number, (name, picture) in enumerate(pictures, start=1):
            word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "step"
            files.append((name, f"{number:02}-{word}.png"))
            write_picture(self._folder / under / files[-1][1], _smaller(picture, _LONGEST_PX))
        write_picture(self._folder / under / SHEET, sheet(pictures))
        self._sections.append(_section(answer, under, files, trace.seconds))

    def finish(self) -> None:
        """Write a page that shows all steps, with the time of each; it loads nothing from outside.

        Raises:
            StorageError: it cannot be written.
        """
        write_bytes(self._folder / INDEX, (_HEAD + "\n".join(self._sections) + "\n</body></html>\n").encode())


def sheet(pictures: Sequence[tuple[str, Picture]]) -> Picture:
    """Lay pictures out in rows, each under its name, ``(height, width, 3) uint8``."""
    import cv2

    tiles = []
    for number, (name, picture) in enumerate(pictures, start=1):
        height, width = picture.shape[:2]
        scale = min(_TILE_PX / width, _TILE_PX / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
        tiles.append((f"{number}  {name}", small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)))
    columns = min(_COLUMNS, len(tiles))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    heights = [max(tile.shape[0] for _, tile in row) + _TITLE_PX + _GAP_PX for row in rows]
    page = np.full((sum(heights) + _GAP_PX, columns * (_TILE_PX + _GAP_PX) + _GAP_PX, 3), _BACK, np.uint8)
    y = _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, (title, tile) in enumerate(row):
            x = _GAP_PX + column * (_TILE_PX + _GAP_PX)
            cv2.putText(page, title, (x, y + 22), cv2.FONT_HERSHEY_SIMPLEX, 0.62, _INK, 1, cv2.LINE_AA)
            page[y + _TITLE_PX : y + _TITLE_PX + tile.shape[0], x : x + tile.shape[1]] = tile
        y += height
    return page


def _section(answer: Answer, under: str, files: Sequence[tuple[str, str]], seconds: Mapping[str, float]) -> str:
    said = "\n".join(in_words(answer))
    prefix = quote(f"{under}/" if under else "")
    figures = "\n".join(
        f'<figure><a href="{prefix}{quote(file)}"><img src="{prefix}{quote(file)}" alt="{html.escape(name)}"></a>'
        f"<figcaption>{number}. {html.escape(name)}{_time(seconds.get(name))}</figcaption></figure>"
        for number, (name, file) in enumerate(files, start=1)
    )
    times = ", ".join(f"{name} {taken * 1e3:.1f} ms" for name, taken in seconds.items())
    return f"<pre>{html.escape(said)}</pre>\n<p><small>{html.escape(times)}</small></p>\n<main>{figures}</main>"


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f" <small>{seconds * 1e3:.1f} ms</small>"


def _smaller(picture: Picture, longest_px: int) -> Picture:
    import cv2

    scale = longest_px / max(picture.shape[:2])
    if scale >= 1 or math.isclose(scale, 1):
        return picture
    small: Picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small
