"""The sheet of paper in the picture, where the picture shows more than the sheet."""

from __future__ import annotations

import math

import numpy as np

from edge_client.vision.trace import Picture

_SMALL_PX = 160  # the longer side that the sheet is looked for at
_LEAST_SIDE_PX = 8  # of the small picture
_STEP = 0.10  # of grey, between neighbours: light on a sheet changes less
_SHADOW = 0.42  # of the sheet's grey: shadows on a sheet are not darker
_TINT = 0.22  # by how much the colour of what lies in the shadow may differ, as a logarithm of ratios
_LEAST_SHEET = 0.12  # of the picture
_ALL = 0.97  # of the picture: such an area leaves no room for a desk
_LEAST_DESK = 0.02  # of the picture
_SOLID = 0.8  # of its convex hull: a sheet has no bays

_PER_E = 65.0  # levels for a factor of e
_LOGARITHM = np.rint(_PER_E * np.log((np.arange(256) + 6.0) / 6.0)).clip(0, 255).astype(np.uint8)


def find_sheet(page: Picture, *, reach: int) -> Picture | None:
    """Return where the sheet is, ``uint8``, 255 on 0, at a small size; nothing where the picture has no other parts.

    The sheet is the brightest large area that light changes on slowly. Areas beside it belong to it where they are as
    dark as a shadow makes it and of its colour; all else beyond its edge is desk. A picture that does not clearly show
    an edge all the way is all sheet.

    Args:
        page: ``(h, w) uint8`` or ``(h, w, 3) uint8`` BGR.
        reach: half the width of what may be ink, in pixels.
    """
    import cv2

    level = cv2.LUT(_without_ink(page), _LOGARITHM)
    if min(level.shape[:2]) < _LEAST_SIDE_PX:
        return None
    flat = _flat(level)
    count, areas = cv2.connectedComponents(flat, connectivity=4, ltype=cv2.CV_16U)
    sizes = np.bincount(areas.ravel(), minlength=count)[1:]
    if not len(sizes) or sizes.max() > _ALL * flat.size:
        return None
    large = 1 + np.flatnonzero(sizes >= max(12, 0.004 * flat.size))
    if not len(large):
        return None
    labels = areas.ravel()
    sums = [np.bincount(labels, weights=channel.ravel(), minlength=count)[large] for channel in cv2.split(level)]
    colours = np.stack(sums, axis=1) / (_PER_E * sizes[large - 1][:, None])
    bright = colours.mean(axis=1)
    # how large an area is says more than how bright: a lamp's reflection is small, a sheet is not
    sheet = int(np.argmax(np.where(sizes[large - 1] >= 0.08 * flat.size, bright, -np.inf)))
    if sizes[large[sheet] - 1] < 0.08 * flat.size:
        return None
    ratio = colours - colours[sheet]
    darker = ratio.mean(axis=1)
    tint = np.abs(ratio - darker[:, None]).max(axis=1)
    same = (darker > np.log(_SHADOW)) & (tint < _TINT)
    other = (~np.isin(areas, large[same])).view(np.uint8)
    return _beside(other, least=math.ceil(2 * reach / max(page.shape[:2]) * max(other.shape)) + 1)


def _without_ink(page: Picture) -> Picture:
    """Return the picture small and without what is thin and dark, ``(h, w, c) uint8``."""
    import cv2

    scale = min(1.0, _SMALL_PX / max(page.shape[:2]))
    size = max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale))
    # every fourth pixel or so says enough, and all of them take ten times as long
    sampled = cv2.resize(page, (size[0] * 2, size[1] * 2), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(sampled, size, interpolation=cv2.INTER_AREA)
    # beyond its edges the picture goes on as it ends, so that a slip of the desk there is not taken for a line of ink
    framed = cv2.copyMakeBorder(small, 4, 4, 4, 4, cv2.BORDER_REPLICATE)
    small = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))[4:-4, 4:-4]
    result: Picture = cv2.medianBlur(small, 3)
    return result


def _flat(level: Picture) -> Picture:
    """Return where neighbours two apart hardly differ in any colour, ``(h, w) uint8``."""
    import cv2

    steps = np.zeros(level.shape[:2], np.uint8)
    for channel in cv2.split(level):
        cv2.max(steps[:, 1:-1], cv2.absdiff(channel[:, 2:], channel[:, :-2]), dst=steps[:, 1:-1])
        cv2.max(steps[1:-1], cv2.absdiff(channel[2:], channel[:-2]), dst=steps[1:-1])
    return (steps < 2 * _STEP * _PER_E).view(np.uint8)


def _beside(other: Picture, *, least: int) -> Picture | None:
    """Return the sheet, given what does not look like it, or nothing where it is not plainly one sheet on a desk.

    Args:
        other: ``(h, w) uint8``, 1 where the picture does not look like the sheet.
        least: how wide a desk is at least, in pixels: what is narrower is ink, or a pen.
    """
    import cv2

    desk = cv2.morphologyEx(other, cv2.MORPH_OPEN, np.ones((least, least), np.uint8))
    # the blurred edge of the sheet is too narrow for the window in the desk's corners
    desk = cv2.bitwise_and(cv2.dilate(desk, np.ones((5, 5), np.uint8)), other)
    contours, _ = cv2.findContours(1 - desk, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    sheet = np.zeros_like(other)
    cv2.drawContours(sheet, [outline], -1, 255, cv2.FILLED)
    area = np.count_nonzero(sheet)
    if not _LEAST_SHEET * sheet.size <= area <= (1 - _LEAST_DESK) * sheet.size:
        return None
    # narrow slips of the desk lie outside the convex hull of what does look like the sheet
    hull = np.zeros_like(sheet)
    cv2.fillConvexPoly(hull, cv2.convexHull(cv2.findNonZero(cv2.bitwise_and(sheet, 255 * (1 - other)))), 255)
    if area < _SOLID * np.count_nonzero(hull):
        return None
    result: Picture = cv2.bitwise_and(sheet, cv2.dilate(hull, np.ones((3, 3), np.uint8)))
    return result
