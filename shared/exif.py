"""Which way up a picture is: the tags of TIFF 6.0, which EXIF (JEITA CP-3451) borrows for every kind of picture."""

from __future__ import annotations

import struct

ORIENTATION = 274
"""The tag that says how a picture is to be turned: from 1 (as stored) to 8."""

_MOST_TAGS = 512
_SHORT, _LONG, _LONG8 = 3, 4, 16


def tiff_tags(data: bytes) -> dict[int, int]:
    """Read the first directory of a TIFF or BigTIFF: whole numbers, the first of several, by their tags.

    Returns an empty dictionary where the bytes are no TIFF, or end before its directory does.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
    if not order:
        return {}
    try:
        (version,) = struct.unpack_from(order + "H", data, 2)
        if version == 43:
            (at,) = struct.unpack_from(order + "Q", data, 8)
            (count,) = struct.unpack_from(order + "Q", data, at)
            return _entries(data, order, at + 8, count=count, entry="HHQ", entry_bytes=20)
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        return _entries(data, order, at + 2, count=count, entry="HHI", entry_bytes=12)
    except (struct.error, OverflowError):
        return {}


def orientation_of(exif: bytes) -> int:
    """Return the orientation that an EXIF block states, from 1 to 8; 1 where it states none.

    Args:
        exif: the block, with or without the ``Exif`` that precedes it in a JPEG.
    """
    stated = tiff_tags(exif.removeprefix(b"Exif\0\0")).get(ORIENTATION, 1)
    return stated if 1 <= stated <= 8 else 1


def _entries(data: bytes, order: str, at: int, *, count: int, entry: str, entry_bytes: int) -> dict[int, int]:
    tags: dict[int, int] = {}
    seen: set[int] = set()
    value_at = struct.calcsize("=" + entry)
    room = entry_bytes - value_at
    for place in range(at, at + min(count, _MOST_TAGS) * entry_bytes, entry_bytes):
        tag, kind, values = struct.unpack_from(order + entry, data, place)
        letter = {_SHORT: "H", _LONG: "I", _LONG8: "Q"}.get(kind)
        if letter is not None and values > 0 and tag not in seen:
            there = place + value_at
            if values * struct.calcsize("=" + letter) > room:  # then its place stands there
                (there,) = struct.unpack_from(order + entry[-1], data, there)
            (tags[tag],) = struct.unpack_from(order + letter, data, there)
        seen.add(tag)  # of two entries the decoder takes the first, whatever its type
    return tags
