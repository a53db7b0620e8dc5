"""Datasets in one NumPy archive: ``X`` the pictures, ``y`` the labels, ``writer`` who wrote them if that is known."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.dataset import UNKNOWN_WRITER, Dataset, writer_name
from shared.datasets.polarity import Grey, judge, spread
from shared.datasets.report import BLANK, Tally
from shared.errors import DataError
from shared.labels import LabelSet, canonical_label

LAYOUT = "a NumPy archive of pictures"

MOST_ARRAY_BYTES = 4 << 30
"""An array that would unpack to more than this is refused: a small file can claim any size."""

_MOST_BRIGHTNESS = np.float64(1e30)
"""No camera's number; beyond it float32 would overflow."""

_CLASS_NAMES = ("labels", "classes")


def read_npz(path: Path, *, labels: LabelSet | None, tally: Tally) -> Dataset:
    """Read the samples of a NumPy archive.

    The archive holds ``X``, ``(n, height, width)`` or ``(n, height, width, 1)`` of any integer, float or bool dtype,
    and ``y``, ``(n,)`` of strings, or of integers that index the array ``labels`` or ``classes`` if there is one.
    ``writer``, ``(n,)``, is optional.

    Raises:
        DataError: a key is missing, the lengths differ, a shape or dtype is another, or an array holds objects.
    """
    arrays = _load(path)
    for key in ("X", "y"):
        if key not in arrays:
            held = ", ".join(sorted(arrays)) or "nothing"
            raise DataError(f"{path} has no array {key!r} (it holds {held}); give pictures as X and labels as y")
    X, y = arrays["X"], arrays["y"]
    if X.ndim == 4 and X.shape[-1] == 1:
        X = X[..., 0]
    if X.ndim != 3 or 0 in X.shape[1:]:
        raise DataError(f"{path}: expected X of shape (n, height, width), got {arrays['X'].shape}")
    if y.shape != (len(X),):
        raise DataError(f"{path}: X has {len(X):,} pictures but y has the shape {y.shape}; expected ({len(X)},)")
    if not len(X):
        raise DataError(f"{path} is empty: X has no pictures")
    names = _labels(path, y, arrays)
    writers = _writers(path, arrays.get("writer"), len(X))

    if labels is not None:
        wanted = np.isin(names, np.array(labels.labels))
        if not wanted.all():
            for label, count in zip(*np.unique(names[~wanted], return_counts=True), strict=True):
                tally.leave_out_class(str(label), count=int(count))
            X, names, writers = X[wanted], names[wanted], writers[wanted]
    pictures, sound = _as_grey(path, X)
    if not sound.all():
        first = int(np.flatnonzero(~sound)[0])
        tally.leave_out("not finite numbers", f"picture {first}", count=int((~sound).sum()))
        pictures, names, writers = pictures[sound], names[sound], writers[sound]
    if not len(pictures):
        return Dataset(np.zeros((0, 45, 45), np.uint8), names, writers)
    look = judge([pictures[i] for i in spread(len(pictures))])
    tally.note(look.in_words())
    samples, inked = look.samples(pictures)
    if not inked.all():
        first = int(np.flatnonzero(~inked)[0])
        tally.leave_out(BLANK, f"picture {first}, {str(names[first])!r}", count=int((~inked).sum()))
    return Dataset(samples, names[inked], writers[inked])


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > MOST_ARRAY_BYTES:
                    raise DataError(
                        f"{path}: {member.filename} unpacks to {member.file_size / 2**30:.1f} GiB; "
                        f"the most that is read is {MOST_ARRAY_BYTES / 2**30:.0f} GiB"
                    )
            for member in archive.infolist():
                _check_header(path, archive, member)
        with np.load(path, allow_pickle=False) as file:
            # Arrays that nobody asks for are not unpacked.
            return {key: file[key] for key in file.files if key in ("X", "y", "writer", *_CLASS_NAMES)} | {
                key: np.empty(0) for key in file.files if key not in ("X", "y", "writer", *_CLASS_NAMES)
            }
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{path} cannot be read as a NumPy archive ({_one_line(error)}); it may be cut short: make or copy it again"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit in this machine's memory") from error


def _check_header(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Hold the shape that an array claims against the bytes it has, before room is made for it."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        if dtype.hasobject:
            raise DataError(
                f"{path}: {member.filename} holds Python objects, which are never loaded; "
                "save strings as a plain array, such as np.array(y, dtype=str)"
            )
        if not dtype.itemsize and 0 not in shape:
            # Elements of no size take no room in the file, however many it claims.
            raise DataError(f"{path}: {member.filename} holds elements of no size ({dtype})")
        claimed = dtype.itemsize
        for side in shape:
            claimed *= int(side)
        if file.tell() + claimed > member.file_size:
            raise DataError(f"{path}: {member.filename} is cut short: {claimed:,} bytes claimed, fewer are there")


def _labels(path: Path, y: NDArray[Any], arrays: dict[str, NDArray[Any]]) -> NDArray[np.str_]:
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind == "U":
        given, inverse = np.unique(y, return_inverse=True)
        return np.array([canonical_label(str(label)) for label in given])[inverse]
    if y.dtype.kind not in "iu":
        raise DataError(f"{path}: expected y of strings or integers, got {y.dtype}")
    named = next((arrays[key] for key in _CLASS_NAMES if key in arrays), None)
    given, inverse = np.unique(y, return_inverse=True)
    if named is None:
        return np.array([str(int(label)) for label in given])[inverse]
    if named.ndim != 1 or named.dtype.kind not in "USiu":
        raise DataError(f"{path}: expected the class names as a list of strings, got {named.dtype} {named.shape}")
    if named.dtype.kind == "S":
        named = np.char.decode(named, "utf-8", "replace")
    if int(given[0]) < 0 or int(given[-1]) >= len(named):
        raise DataError(
            f"{path}: y goes from {int(given[0])} to {int(given[-1])}, but there are {len(named)} class names"
        )
    return np.array([canonical_label(str(named[int(label)])) for label in given])[inverse]


def _writers(path: Path, writer: NDArray[Any] | None, count: int) -> NDArray[np.str_]:
    if writer is None:
        return np.full(count, UNKNOWN_WRITER, dtype="<U1")
    if writer.shape != (count,):
        raise DataError(f"{path}: X has {count:,} pictures but writer has the shape {writer.shape}")
    if writer.dtype.kind == "S":
        writer = np.char.decode(writer, "utf-8", "replace")
    if writer.dtype.kind not in "Uiu":
        raise DataError(f"{path}: expected writer of strings or integers, got {writer.dtype}")
    given, inverse = np.unique(writer, return_inverse=True)
    return np.array([writer_name(str(name)) for name in given])[inverse]


def _as_grey(path: Path, X: NDArray[Any]) -> tuple[Grey, NDArray[np.bool_]]:
    """Bring any dtype to ``uint8`` by the range of the whole set; also say which pictures are finite."""
    sound = np.ones(len(X), np.bool_)
    if X.dtype == np.bool_:
        return X.astype(np.uint8) * np.uint8(255), sound
    if X.dtype.kind not in "iuf":
        raise DataError(f"{path}: expected X of numbers, got {X.dtype}")
    if X.dtype.kind == "f":
        flat = X.reshape(len(X), -1)
        sound = np.isfinite(flat).all(axis=1) & (np.abs(flat).max(axis=1) <= _MOST_BRIGHTNESS)
        if not sound.all():
            X = np.where(sound[:, np.newaxis, np.newaxis], X, 0)
    if not len(X):
        return np.zeros(X.shape, np.uint8), sound
    low, high = float(X.min()), float(X.max())
    if low >= 0 and 1 < high <= 255:
        return (X if X.dtype == np.uint8 else np.rint(X).astype(np.uint8)), sound
    floor, top = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    if low >= 0 and 255 < high <= 65535 and X.dtype.kind in "iu":
        floor, top = 0.0, 65535.0
    if top == floor:
        return np.zeros(X.shape, np.uint8), sound  # all one shade: nothing is drawn
    scaled = (X.astype(np.float32) - floor) * np.float32(255 / (top - floor))
    return np.rint(scaled).astype(np.uint8), sound


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
