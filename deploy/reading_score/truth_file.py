"""Label files: tab-separated, a picture and what is written in it on every line.

``file<TAB>truth``, and after it perhaps ``symbols``, ``kind``, ``writer`` and ``condition``, in this order unless a
heading names the columns. In the truth, `` | `` parts the lines of a page, `` # `` begins a remark, and `NOTHING`
says that no maths is written. Files are sought beside the label file. A ``symbols.jsonl`` beside it gives the box of
every symbol: one JSON object a line, with ``file`` and ``symbols``, each with ``label`` and ``box`` [x, y, w, h].
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.bounded_files import read_bounded
from shared.errors import DataError

NOTHING = "<not an expression>"
"""The truth of a picture in which nothing may be read."""

SYMBOLS_FILE = "symbols.jsonl"
"""What the file of symbol boxes beside a label file is called."""

MOST_BYTES = 64 << 20
"""A larger file is refused before it is read: it is held in memory."""

_COLUMNS = ("file", "truth", "symbols", "kind", "writer", "condition")
_REMARK = re.compile(r"(^|\s)#.*$")
_NAMED = 3  # missing pictures that are named in an error

Boxed = tuple[float, float, float, float]


@dataclass(frozen=True)
class TruthSymbol:
    """One symbol as it was written: its label and its box ``(x, y, width, height)`` in pixels of the picture."""

    label: str
    box: Boxed


@dataclass(frozen=True)
class Truth:
    """What is written in one picture.

    Attributes:
        file: the picture.
        name: the picture, as the label file calls it.
        lines: from top to bottom; empty where nothing may be read.
        kind: of expression; empty where it is not said.
        writer: who wrote it; empty where it is not said.
        condition: of paper and light; empty where it is not said.
        symbols: with their boxes; None where they are not known.
    """

    file: Path
    name: str
    lines: tuple[str, ...]
    kind: str = ""
    writer: str = ""
    condition: str = ""
    symbols: tuple[TruthSymbol, ...] | None = None


def read_truths(path: Path) -> list[Truth]:
    """Read a label file, and the symbol boxes beside it if there are any.

    Raises:
        DataError: a file cannot be read or is malformed (the line is named), or pictures are missing.
    """
    boxes = _read_boxes(path.parent / SYMBOLS_FILE)
    truths: list[Truth] = []
    columns: tuple[str, ...] = _COLUMNS
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if not truths and [cell.lower() for cell in cells[:2]] == ["file", "truth"]:
            columns = tuple(cell.lower() for cell in cells)
            continue
        truths.append(_truth(cells, columns, boxes, place=f"{path}, line {number}", folder=path.parent))
    if not truths:
        raise DataError(f"{path} has no labels; expected lines of a file name, a tab and the truth")
    missing = [truth.name for truth in truths if not truth.file.is_file()]
    if missing:
        named = ", ".join(missing[:_NAMED]) + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
        raise DataError(f"{path} names {len(missing)} of {len(truths)} pictures that are not beside it: {named}")
    return truths


def _truth(
    cells: list[str], columns: tuple[str, ...], boxes: dict[str, tuple[TruthSymbol, ...]], *, place: str, folder: Path
) -> Truth:
    if len(cells) < 2:
        raise DataError(f"{place}: expected a file name, a tab and the truth, got {_short(cells[0])!r}")
    said = dict(zip(columns, cells, strict=False))
    name, text = said["file"], _REMARK.sub("", said["truth"]).strip()
    if not name or "\0" in name:
        raise DataError(f"{place}: expected a file name before the first tab, got {_short(name)!r}")
    lines = () if text == NOTHING else tuple(part.strip() for part in text.split("|"))
    if not all(lines):
        raise DataError(f"{place}: a line of the truth is empty; where nothing is written, write {NOTHING}")
    extra = {key: said.get(key, "") for key in ("kind", "writer", "condition")}
    return Truth(folder / name, name, lines, **extra, symbols=boxes.get(name))


def _read_boxes(path: Path) -> dict[str, tuple[TruthSymbol, ...]]:
    if not path.exists():
        return {}
    boxes = {}
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            boxes[str(said["file"])] = tuple(_symbol(symbol) for symbol in said["symbols"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataError(
                f"{path}, line {number}: expected a JSON object with file and symbols, "
                f"each with label and box [x, y, width, height]; got {_short(line)!r}"
            ) from None
    return boxes


def _symbol(said: dict[str, Any]) -> TruthSymbol:
    x, y, width, height = (float(number) for number in said["box"])
    if not all(map(math.isfinite, (x, y, width, height))) or width <= 0 or height <= 0:
        raise ValueError("a box must have an extent")
    return TruthSymbol(str(said["label"]), (x, y, width, height))


def _read_text(path: Path) -> str:
    try:
        return read_bounded(path, what="labels", most_bytes=MOST_BYTES, error=DataError).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8; give a label file: a file name, a tab and the truth") from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
