"""Where the panels of lines stand on a picture: near their line where there is room, else at the picture's foot."""

from __future__ import annotations

from collections.abc import Sequence

from edge_client.vision.ink import Box

_MARGIN, _GAP, _TAG, _BETWEEN = 8, 14, 36, 6  # pixels of a picture of 1280×720; a tag stands above a symbol


def place_panels(
    lines: Sequence[Box], sizes: Sequence[tuple[int, int]], *, width: int, height: int, unit: float
) -> list[tuple[int, int]]:
    """Return the corner of each line's panel, ``(x, y)`` in pixels.

    A panel stands below its line, above it, or at its side, where it covers no line and no other panel. Those without
    such a place gather at the lower edge, in the order of their lines.

    Args:
        lines: the boxes of the lines.
        sizes: the width and height of each line's panel.
        width: of the picture.
        height: of the picture.
        unit: how large a pixel of a picture of 1280×720 is on this one.
    """
    margin = round(_MARGIN * unit)
    foot = height - margin
    taken = list(lines)
    near: list[tuple[int, int] | None] = []
    for line, size in zip(lines, sizes, strict=True):
        place = _near(line, size, taken, width=width, foot=foot, unit=unit)
        if place is not None:
            taken.append((*place, *size))
        near.append(place)
    places: list[tuple[int, int]] = []
    for place, size in reversed(list(zip(near, sizes, strict=True))):
        if place is None:
            place = margin, max(0, foot - size[1])
            foot -= size[1] + round(_BETWEEN * unit)
        places.append(place)
    return places[::-1]


def overlap(one: Box, other: Box) -> bool:
    """Return whether two boxes have a pixel in common."""
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _near(
    line: Box, size: tuple[int, int], taken: Sequence[Box], *, width: int, foot: int, unit: float
) -> tuple[int, int] | None:
    x, y, line_width, line_height = line
    wide, high = size
    gap, tag = round(_GAP * unit), round(_TAG * unit)
    left, middle = min(max(0, x), max(0, width - wide)), y + (line_height - high) // 2
    for at in (
        (left, y + line_height + gap),
        (left, y - gap - tag - high),
        (x + line_width + gap, middle),
        (x - gap - wide, middle),
    ):
        inside = at[0] >= 0 and at[1] >= 0 and at[0] + wide <= width and at[1] + high <= foot
        if inside and not any(overlap((*at, wide, high), other) for other in taken):
            return at
    return None
