"""Picture files become canonical samples: decoded within bounds, judged as a set, cropped and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.dataset import Dataset
from shared.datasets.members import Members, UnreadableError
from shared.datasets.polarity import Grey, judge, spread
from shared.datasets.report import BLANK, NOT_A_PICTURE, TOO_LARGE, Progress, Tally
from shared.picture_header import kind_of, png_chunks, size_of
from shared.sample import SIDE

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
"""The files that count as pictures, by the ends of their names in lower case."""

MOST_PIXELS = 16_000_000
"""A picture of one symbol that claims more pixels is left out before room is made for them."""

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

    width, height = size_of(data)
    if not width:
        raise UnreadableError(NOT_A_PICTURE)
    if width * height > MOST_PIXELS:
        raise UnreadableError(TOO_LARGE)
    if kind_of(data) == "PNG" and not _is_whole_png(data):
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
    try:
        return any(kind == b"IEND" for kind, _, _ in png_chunks(data))
    except ValueError:
        return False
