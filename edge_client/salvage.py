"""Getting samples out of a store that SQLite can no longer read.

What a person corrected is their work. A sample and all that is known of it lie in one page of the file (SQLite's
"Database File Format", sections 1.6 and 2.1), so that each page can be read without the others, and without the header
of the file. Each sample carries the hash of its pixels and its label: what does not have it is left behind, so that
nothing damaged, and nothing but samples, comes out. What was deleted is no longer in the file (``secure_delete``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_client.sample_digest import digest_of_bytes
from shared.sample import SIDE

_PAGE_SIZES = (4096, 1024, 2048, 8192, 16384, 32768, 65536, 512)
_TABLE_LEAF = 0x0D
_COLUMNS = (7, 8)  # without and with `corrected`
_LONGEST_TEXT = 4096


@dataclass(frozen=True)
class Salvaged:
    """A sample as it was stored.

    Attributes:
        number: its name in the store.
        image: ``45 * 45`` bytes, row by row.
    """

    number: int
    digest: bytes
    image: bytes
    label: str
    writer: str
    source: str
    added_unix_s: float
    corrected: bool


def salvage(path: Path) -> list[Salvaged]:
    """Return the samples that are whole in a store's file, in the order of their numbers; each once.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    for page_size in _page_sizes(data):
        found = {sample.digest: sample for sample in _samples(data, page_size)}
        if found:
            return sorted(found.values(), key=lambda sample: sample.number)
    return []


def _page_sizes(data: bytes) -> Iterator[int]:
    """Yield the size of the file's pages; others after it, for the header that says it may be damaged."""
    said = int.from_bytes(data[16:18], "big") if len(data) >= 18 else 0
    said = 65536 if said == 1 else said
    if said in _PAGE_SIZES:
        yield said
    yield from (size for size in _PAGE_SIZES if size != said)


def _samples(data: bytes, page_size: int) -> Iterator[Salvaged]:
    for start in range(0, len(data) - page_size + 1, page_size):
        # The first page begins with the header of the file.
        at = start + (100 if start == 0 else 0)
        if data[at] != _TABLE_LEAF:
            continue
        page = data[start : start + page_size]
        cells = int.from_bytes(data[at + 3 : at + 5], "big")
        for i in range(min(cells, page_size // 2)):
            pointer = at - start + 8 + 2 * i
            cell = int.from_bytes(page[pointer : pointer + 2], "big")
            try:
                sample = _sample(page, cell)
            except (IndexError, struct.error, UnicodeDecodeError):
                continue
            if sample is not None:
                yield sample


def _sample(page: bytes, at: int) -> Salvaged | None:
    """Read a cell: the length of its record, its row's number, the record; None if it is not a sample."""
    length, at = _varint(page, at)
    number, at = _varint(page, at)
    end = at + length
    if end > len(page):
        return None
    header_bytes, position = _varint(page, at)
    kinds = []
    while position < at + header_bytes:
        kind, position = _varint(page, position)
        kinds.append(kind)
    if len(kinds) not in _COLUMNS:
        return None
    values = []
    for kind in kinds:
        size = _size(kind)
        if position + size > end or size > _LONGEST_TEXT:
            return None
        values.append(_value(kind, page[position : position + size]))
        position += size
    _, digest, image, label, writer, source, added, *more = values
    if not (isinstance(digest, bytes) and isinstance(image, bytes) and len(image) == SIDE * SIDE):
        return None
    if not (isinstance(label, str) and isinstance(writer, str) and isinstance(source, str)):
        return None
    if not isinstance(added, int | float) or digest_of_bytes(image, label) != digest:
        return None
    return Salvaged(number, digest, image, label, writer, source, float(added), bool(more and more[0]))


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """Read an integer of one to nine bytes; return it and where it ends."""
    value = 0
    for i in range(8):
        byte = page[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    return value << 8 | page[at + 8], at + 9


def _size(kind: int) -> int:
    """Return how many bytes a value of a serial type has."""
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 1 << 30, 1 << 30)[kind]


def _value(kind: int, data: bytes) -> int | float | str | bytes | None:
    if kind == 0:
        return None
    if kind == 7:
        value: float = struct.unpack(">d", data)[0]
        return value
    if kind in (8, 9):
        return kind - 8
    if kind < 7:
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if kind % 2 else data
