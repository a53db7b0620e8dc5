"""Picture files become canonical samples: decoded within bounds, judged as a set, cropped and scaled."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.dataset import Dataset
from shared.datasets.members import Members, UnreadableError
from shared.datasets.polarity import Grey, judge, spread
from shared.datasets.report import BLANK, NOT_A_PICTURE, TOO_LARGE, Progress, Tally
from shared.sample import SIDE

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
"""The files that count as pictures, by the ends of their names in lower case."""

MOST_PIXELS = 16_000_000
"""A picture of one symbol that claims more pixels is left out before room is made for them."""

_PNG = b"\x89PNG\r\n\x1a\n"
_EVERY = 256  # pictures between two calls of progress


@dataclass(frozen=True)
class PictureEntry:
    """One picture of a source: its file, what it shows, and who wrote it (the empty string where unknown)."""

    name: str
    label: str
    writer: str


def is_picture(name: str) -> bool:
    """Say whether a file's name is a picture's."""
    return name.lower().endswith(PICTURE_ENDINGS)


def read_pictures(
    members: Members, entries: Sequence[PictureEntry], *, tally: Tally, progress: Progress | None = None
) -> Dataset:
    """Read pictures as a set: polarity, levels and size are decided from an even spread of them.

    Args:
        members: where the files are.
        entries: which files, with their labels.
        tally: told of pictures that are left out.
        progress: told ``(done, total)``.
    """
    judged: list[Grey] = []
    for i in spread(len(entries)):
        try:
            judged.append(decode(members.read(entries[int(i)].name)))
        except UnreadableError:
            continue  # counted below
    look = judge(judged)
    del judged

    samples = np.empty((len(entries), SIDE, SIDE), np.uint8)
    kept: list[PictureEntry] = []
    for done, entry in enumerate(entries):
        if progress is not None and done % _EVERY == 0:
            progress(done, len(entries))
        try:
            sample = look.sample(decode(members.read(entry.name)))
        except UnreadableError as error:
            tally.leave_out(str(error), entry.name)
            continue
        if sample is None:
            tally.leave_out(BLANK, entry.name)
            continue
        samples[len(kept)] = sample
        kept.append(entry)
    if progress is not None:
        progress(len(entries), len(entries))
    if kept:
        tally.note(look.in_words())
    return Dataset(
        samples[: len(kept)],
        np.array([entry.label for entry in kept], dtype=np.str_),
        np.array([entry.writer for entry in kept], dtype=np.str_),
    )


def decode(data: bytes) -> Grey:
    """Decode one picture file to grey, ``(height, width) uint8``.

    Transparent pixels are paper: white, or black where the visible ink is light.

    Raises:
        UnreadableError: it is not a picture, is damaged, or has more than ``MOST_PIXELS`` pixels.
    """
    import cv2  # heavy: a device that only trains never needs it

    width, height = _size(data)
    if width <= 0 or height <= 0:
        raise UnreadableError(NOT_A_PICTURE)
    if width * height > MOST_PIXELS:
        raise UnreadableError(TOO_LARGE)
    if data.startswith(_PNG) and not _is_whole_png(data):
        raise UnreadableError(NOT_A_PICTURE)
    # A damaged picture is counted; OpenCV would tell the terminal about it too, in lines of its own.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        picture = None
    finally:
        cv2.utils.logging.setLogLevel(level)
    if picture is None or picture.size == 0:
        raise UnreadableError(NOT_A_PICTURE)
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise UnreadableError(NOT_A_PICTURE)
    if picture.ndim == 2:
        grey: Grey = picture
        return grey
    if picture.shape[2] == 1:
        only: Grey = picture[:, :, 0]
        return only
    if picture.shape[2] == 3:
        return _luma(picture)
    return _on_paper(_luma(picture[:, :, :3]), picture[:, :, 3])


def _luma(picture: NDArray[np.uint8]) -> Grey:
    import cv2

    grey: Grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return grey


def _on_paper(grey: Grey, alpha: NDArray[np.uint8]) -> Grey:
    if alpha.min() == 255:
        return grey
    visible = alpha > 127
    paper = 0 if visible.any() and np.median(grey[visible]) > 200 else 255
    share = alpha.astype(np.float32) / 255
    return np.rint(grey * share + paper * (1 - share)).astype(np.uint8)


def _is_whole_png(data: bytes) -> bool:
    """Check the chunks' lengths and checksums: libpng writes to the terminal when it meets a wrong one."""
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            return False
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False


def _size(data: bytes) -> tuple[int, int]:
    """Read a picture's ``(width, height)`` from its header; ``(0, 0)`` where it is none of the kinds known."""
    try:
        if data.startswith(_PNG):
            return _pair(struct.unpack_from(">II", data, 16))
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _pair(struct.unpack_from("<HH", data, 6))
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return width, abs(height)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size(data)
    except (struct.error, IndexError):
        pass
    return 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        at += struct.unpack_from(">H", data, at)[0]
        if data[at] != 0xFF:
            return 0, 0


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]
