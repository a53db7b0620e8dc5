"""Pictures from anywhere: a file or an upload becomes pixels, or one line that says why not.

The header is read before anything is decoded, so that a small file which claims a billion pixels (a decompression
bomb) costs nothing. What is decoded is upright, as its EXIF orientation says, 8 bits deep and without transparency.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_client.decoding_room import part_that_fits
from edge_client.vision.trace import Picture
from shared.errors import DataError
from shared.exif import orientation_of
from shared.picture_header import (
    PNG_SIGNATURE,
    bits_of,
    jpeg_segments,
    kind_of,
    png_chunks,
    scans_of,
    size_of,
    webp_chunks,
)

MOST_BYTES = 64_000_000
"""A larger file is refused before it is read."""

MOST_PIXELS = 50_000_000
"""A picture that claims more is refused before it is decoded: 50 megapixels in colour are 150 MB."""

MOST_SIDE = 32_000
"""Nor may one side be longer: OpenCV addresses the pixels of a picture that it turns with 16 bits."""

MOST_SCANS = 32
"""Nor may a JPEG have more scans: each is a pass over all pixels, and takes 75 bytes to ask for."""

_READS = "JPEG, PNG, WebP, BMP, TIFF, GIF or PNM"
_LIGHT = 200  # grey levels above this are light: on transparent paper, light ink is on dark paper
_SCAN_MARKER = b"\xff\xda"  # begins every scan of a JPEG, and may occur elsewhere: there are not more scans than that
_BAND_PX = 256  # rows that are put on paper at once
_VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
_DRAWN = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})

# fmt: off
_FOREIGN = (
    (b"%PDF", "is a PDF; make a picture of the page first, for example: pdftoppm -r 200 -png FILE page"),
    (b"<svg", f"is an SVG drawing; save it as {_READS}"),
    (b"<?xml", f"is an XML document; give {_READS}"),
    (b"\x1a\x45\xdf\xa3", "is a video; give it to inkfleet read or inkfleet live, or a single picture of it"),
    (b"PK\x03\x04", "is an archive; unpack it and give the pictures in it"),
)
_BOXES = {
    b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC", b"hevc": "HEIC", b"mif1": "HEIC",
    b"msf1": "HEIC", b"avif": "AVIF", b"avis": "AVIF",
}
# fmt: on


def read_picture(path: Path) -> Picture:
    """Read a picture file.

    Args:
        path: JPEG, PNG, WebP, BMP, TIFF, GIF or PNM; of several pages or frames, the first is taken.

    Returns:
        ``(height, width) uint8`` grey, or ``(height, width, 3) uint8`` BGR.

    Raises:
        DataError: there is no such file, it cannot be read, or it is no picture that can be used; one line.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; give the pictures in it")
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is no file; give a picture")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:  # a NUL in the name
        raise DataError(f"cannot read {str(path)!r}: no file can be called so") from None
    return decode_picture(data, name=str(path))


def decode_picture(data: bytes, *, name: str, room_bytes: int | None = None) -> Picture:
    """Decode a picture.

    Transparent pixels become white paper, or black paper where all that is visible is light.

    Args:
        data: the bytes of the file; its name does not matter, its first bytes do.
        name: what to call it in an error.
        room_bytes: what decoding may take; a JPEG that would take more is decoded at a half, a quarter or an eighth of
            its size, anything else is refused. None where memory is plenty.

    Returns:
        ``(height, width) uint8`` grey, or ``(height, width, 3) uint8`` BGR, upright, owned by the caller.

    Raises:
        DataError: it is empty, no picture, cut off, damaged, too large, or has no room; one line that begins with its
            name.
    """
    if not data:
        raise DataError(f"{name} is empty")
    if len(data) > MOST_BYTES:
        raise DataError(f"{name} has more than {MOST_BYTES:,} bytes; give a smaller picture")
    kind = kind_of(data)
    if not kind:
        raise DataError(f"{name} {_what_else(data)}")
    width, height = size_of(data)
    if not width:
        raise DataError(f"{name} is cut off or damaged: its header is not whole")
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise DataError(
            f"{name} claims {width:,}×{height:,} pixels; at most {MOST_PIXELS // 1_000_000} megapixels "
            f"and {MOST_SIDE:,} on a side are read, make it smaller"
        )
    bits = bits_of(data)
    if bits > 16:
        raise DataError(f"{name} has {bits} bits a colour; save it with 8 or 16")
    if bits > 8 and width * height > MOST_PIXELS // 2:
        raise DataError(
            f"{name} claims {width:,}×{height:,} pixels of {bits} bits a colour; at most {MOST_PIXELS // 2_000_000} "
            "megapixels of those are read, save it with 8"
        )
    try:
        if kind == "JPEG" and data.count(_SCAN_MARKER) > MOST_SCANS and scans_of(data) > MOST_SCANS:
            raise DataError(f"{name} has more than {MOST_SCANS} scans; save it anew as JPEG or PNG")
        part = 1 if room_bytes is None else part_that_fits(data, room_bytes=room_bytes)
        if not part:
            raise DataError(
                f"{name} has {width * height / 1e6:.0f} megapixels, and there is no room to decode so many of this "
                "kind; make it smaller, or send it as a plain JPEG"
            )
        orientation = _orientation(data, kind)
        decoded = _decoded(_plain_png(data) if kind == "PNG" else data, part=part)
    except (ValueError, IndexError, struct.error):
        decoded = None
    if decoded is None:
        raise DataError(f"{name} is cut off or damaged: it begins as {kind} and cannot be decoded")
    return np.ascontiguousarray(_upright(_opaque(_eight_bits(decoded, name=name)), orientation))


def is_video(path: Path) -> bool:
    """Say whether a file begins as a video does: MP4 and its kin, Matroska and WebM, AVI, MPEG.

    What is called a video and begins as nothing known is one that is damaged.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError):
        return False
    if head[4:8] == b"ftyp":
        return head[8:12] not in _BOXES
    if path.suffix.lower() in _VIDEO_SUFFIXES and not kind_of(head):
        return True
    return head.startswith((b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3")) or (
        head.startswith(b"RIFF") and head[8:12] == b"AVI "
    )


def _what_else(data: bytes) -> str:
    """Say what a file that is no known picture is, and what to do."""
    if data[4:8] == b"ftyp":
        kind = _BOXES.get(data[8:12])
        if kind is not None:
            return f"is {kind}, which is not read; save or export it as JPEG or PNG"
        return _FOREIGN[3][1]
    head = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n")
    for beginning, says in _FOREIGN:
        if head.startswith(beginning):
            return says
    return f"is no picture; give {_READS}"


def _decoded(data: bytes, *, part: int) -> NDArray[np.generic] | None:
    import cv2  # heavy: a device that only trains never needs it

    reduced = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
    flags = reduced[part] | cv2.IMREAD_IGNORE_ORIENTATION if part > 1 else cv2.IMREAD_UNCHANGED

    # What is wrong is said in one line of ours; OpenCV would tell the terminal about it in lines of its own.
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        picture: NDArray[np.generic] | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    finally:
        cv2.utils.logging.setLogLevel(level)
    return picture if picture is not None and picture.size else None


def _plain_png(data: bytes) -> bytes:
    """Keep the chunks that draw the picture: libpng tells the terminal of colour profiles, and unpacks text.

    Raises:
        ValueError: the file is cut off, or a checksum is wrong.
    """
    kept = [data[begin:end] for kind, begin, end in png_chunks(data) if kind in _DRAWN]
    return b"".join([PNG_SIGNATURE, *kept])


def _orientation(data: bytes, kind: str) -> int:
    """Read the orientation that is left to be done; OpenCV turns a TIFF itself, whatever it is asked for."""
    if kind == "JPEG":
        for marker, begin, end in jpeg_segments(data):
            if marker == 0xE1 and data[begin : begin + 6] == b"Exif\0\0":
                return orientation_of(data[begin:end])
    elif kind == "PNG":
        for chunk, begin, end in png_chunks(data):
            if chunk == b"eXIf":
                return orientation_of(data[begin + 8 : end - 4])
    elif kind == "WebP":
        for chunk, begin, end in webp_chunks(data):
            if chunk == b"EXIF":
                return orientation_of(data[begin:end])
    return 1


def _eight_bits(picture: NDArray[np.generic], *, name: str) -> Picture:
    if picture.dtype == np.uint16:
        # An enormous picture is not copied on the way.
        deep = picture.astype(np.uint16, copy=False)
        return np.right_shift(deep, 8, out=deep).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise DataError(f"{name} has pixels of {picture.dtype}; save it with 8 or 16 bits a colour")
    return picture.astype(np.uint8, copy=False)


def _opaque(picture: Picture) -> Picture:
    """Put what is transparent on paper."""
    if picture.ndim == 2:
        return picture
    channels = picture.shape[2]
    if channels in (1, 3):
        return picture[:, :, 0] if channels == 1 else picture
    colours, alpha = picture[:, :, :-1], picture[:, :, -1:]
    if int(alpha.min()) < 255:
        visible = colours[alpha[:, :, 0] > 127]
        paper = 0 if visible.size and float(np.median(visible, overwrite_input=True)) > _LIGHT else 255
        del visible
        for top in range(0, len(picture), _BAND_PX):  # in place, so that an enormous picture is there only once
            band, share = colours[top : top + _BAND_PX], alpha[top : top + _BAND_PX].astype(np.uint16)
            mixed = band * share + np.uint16(paper) * (255 - share) + np.uint16(127)
            band[:] = mixed // np.uint16(255)
    return colours[:, :, 0] if channels == 2 else colours


def _upright(picture: Picture, orientation: int) -> Picture:
    """Turn a picture as EXIF 2.3's table of orientations says."""
    if orientation in (5, 6, 7, 8):
        picture = picture.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return picture
