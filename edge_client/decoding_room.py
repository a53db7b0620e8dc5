"""The memory that decoding a picture takes, known from its header, so that a small device stays within its bounds."""

from __future__ import annotations

from shared.picture_header import bits_of, kind_of, scans_of, size_of

PARTS = (1, 2, 4, 8)
"""What the sides of a JPEG can be divided by while it is decoded: libjpeg scales its blocks of 8×8 coefficients."""

_COPIES = 2  # OpenCV holds what it has decoded twice
_COEFFICIENT_BYTES = 6  # of a pixel of three colours, none of them subsampled
_PNG_COLOUR_AT, _PNG_ALPHA = 25, (4, 6)


def part_that_fits(data: bytes, *, room_bytes: int) -> int:
    """Return what the sides of a picture have to be divided by so that decoding it fits; 0 where nothing helps.

    Only a JPEG can be decoded smaller. One of several scans (progressive) needs the coefficients of all its pixels at
    once, at whatever size it is decoded.

    Args:
        data: the bytes of a picture whose header is whole.
        room_bytes: how much decoding may take.
    """
    kind = kind_of(data)
    width, height = size_of(data)
    pixels = width * height
    kept = pixels * _COEFFICIENT_BYTES if kind == "JPEG" and scans_of(data) > 1 else 0
    decoded = _COPIES * pixels * _channels(data, kind) * (2 if bits_of(data) > 8 else 1)
    for part in PARTS if kind == "JPEG" else PARTS[:1]:
        if kept + decoded // part**2 <= room_bytes:
            return part
    return 0


def _channels(data: bytes, kind: str) -> int:
    """Count the channels at most."""
    if kind == "PNG":
        return 4 if data[_PNG_COLOUR_AT] in _PNG_ALPHA else 3
    return 4 if kind in ("WebP", "TIFF", "GIF") else 3
