"""What a picture file says of itself before it is decoded: its kind and its size in pixels.

JPEG (ITU-T T.81), PNG (ISO/IEC 15948), WebP (RFC 9649), BMP, GIF89a, TIFF 6.0 and BigTIFF, and Netpbm's P1 to P7.
Nothing is decoded and no room is made, so a header that claims a billion pixels costs nothing.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from shared.exif import tiff_tags

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_SIGNATURES = (
    ("JPEG", (b"\xff\xd8\xff",)),
    ("PNG", (PNG_SIGNATURE,)),
    ("GIF", (b"GIF87a", b"GIF89a")),
    ("BMP", (b"BM",)),
    ("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ("PNM", tuple(b"P%d" % number for number in range(1, 8))),
)
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS = 256, 257, 258
_PNG_DEPTH_AT = 24
_SCAN, _SCANS_END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_PNM_HEADER_BYTES = 4096  # comments and all


def kind_of(data: bytes) -> str:
    """Name the kind of a picture by how it begins: ``JPEG``, ``PNG`` …; the empty string where it is none known."""
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    for kind, beginnings in _SIGNATURES:
        if data.startswith(beginnings):
            return kind
    return ""


def size_of(data: bytes) -> tuple[int, int]:
    """Read a picture's ``(width, height)`` in pixels, as stored; ``(0, 0)`` where the header does not say."""
    reader = {
        "JPEG": _jpeg_size,
        "PNG": lambda data: struct.unpack_from(">II", data, 16),
        "GIF": lambda data: struct.unpack_from("<HH", data, 6),
        "BMP": _bmp_size,
        "TIFF": _tiff_size,
        "PNM": _pnm_size,
        "WebP": _webp_size,
    }.get(kind_of(data))
    if reader is None:
        return 0, 0
    try:
        width, height = reader(data)
    except (struct.error, IndexError, ValueError):
        return 0, 0
    return (width, height) if width > 0 and height > 0 else (0, 0)


def bits_of(data: bytes) -> int:
    """Read how many bits each colour of a pixel takes in a PNG or TIFF; 8 where the header does not say."""
    kind = kind_of(data)
    bits = data[_PNG_DEPTH_AT] if kind == "PNG" and len(data) > _PNG_DEPTH_AT else 8
    return tiff_tags(data).get(_TIFF_BITS, 1) if kind == "TIFF" else bits


def scans_of(data: bytes) -> int:
    """Count the scans of a JPEG: 1, or about 10 where it is progressive. Each is a pass over the whole picture.

    Raises:
        IndexError, struct.error, ValueError: as `jpeg_segments` does.
    """
    scans, at = 1, 0
    for marker, _, end in jpeg_segments(data):
        at = end if marker == _SCAN else 0
    while (found := _MARKER.search(data, at)) is not None:
        marker, at = found[1][0], found.end()
        if marker == _SCANS_END:
            break
        if marker != 0x01 and at + 2 <= len(data):
            scans += marker == _SCAN
            at += struct.unpack_from(">H", data, at)[0]
    return scans


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks of a PNG up to its end chunk: ``(type, where the chunk begins, where it ends)`` in bytes.

    Raises:
        ValueError: the file ends before its end chunk, or a chunk does not have its checksum.
    """
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data) or zlib.crc32(data[at + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            break
        yield data[at + 4 : at + 8], at, end
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
    raise ValueError(f"no whole chunk at byte {at}")


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Walk the marker segments of a JPEG up to its first scan: ``(marker, where its contents begin, where they end)``.

    Raises:
        IndexError, struct.error: the file ends within them.
        ValueError: there is no marker where one must be.
    """
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError(f"no marker at byte {at}")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in (0xD8, 0x01) or 0xD0 <= marker <= 0xD7:  # these stand alone
            continue
        (length,) = struct.unpack_from(">H", data, at)
        yield marker, at + 2, at + length
        if marker == 0xDA:
            return
        at += length


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks of a WebP: ``(type, where the contents begin, where they end)`` in bytes."""
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        yield data[at : at + 4], at + 8, at + 8 + length
        at += 8 + length + (length & 1)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    for marker, begin, _ in jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, begin + 1)
            return width, height
    return 0, 0


def _bmp_size(data: bytes) -> tuple[int, int]:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<hh" if header_bytes == 12 else "<ii", data, 18)
    return width, abs(height)


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        struct.unpack_from("<6B", data, 24)
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(data: bytes) -> tuple[int, int]:
    tags = tiff_tags(data)
    return tags.get(_TIFF_WIDTH, 0), tags.get(_TIFF_HEIGHT, 0)


def _pnm_size(data: bytes) -> tuple[int, int]:
    lines = re.split(rb"[\r\n]", data[:_PNM_HEADER_BYTES])
    words = b" ".join(line.split(b"#")[0] for line in lines).split()
    if data.startswith(b"P7"):
        return int(words[words.index(b"WIDTH") + 1]), int(words[words.index(b"HEIGHT") + 1])
    return int(words[1]), int(words[2])
