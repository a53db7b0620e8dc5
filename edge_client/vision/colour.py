"""A second look in one colour, in which printed lines are fainter against the ink."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_client.vision.ruling import PLAINLY_DARKER, Ruled
from edge_client.vision.trace import Picture

_GAIN = 1.2  # times: a single channel of a JPEG is noisier than luma, and must be worth it
_CORE = 0.7  # of the darkness of the ink: pixels in the middle of strokes
_SAMPLES = 2000
_LUMA = (0.114, 0.587, 0.299)  # of blue, green and red, ITU-R BT.601


def clearest_channel(page: Picture, ruled: Ruled, dark: Picture, *, paper: Picture) -> int | None:
    """Return the channel of BGR in which the ink is most plainly darker than printed lines, if luma is not good enough.

    Blue lines all but vanish in blue light, and pencil, black and red ink do not.

    Args:
        page: ``(h, w, 3) uint8`` BGR; in a grey page there is nothing to choose.
        ruled: what luma shows.
        dark: how much darker in luma than its paper every pixel is, ``(h // 2, w // 2) uint8``.
        paper: the luma of the paper, likewise.
    """
    if page.ndim == 2 or not ruled.rulings or ruled.ink > PLAINLY_DARKER * ruled.darkest:
        return None
    share = dark[::2, ::2] / np.maximum(paper[::2, ::2], 1).astype(np.float32)
    bands = np.any([ruling.band[::2, ::2] > 0 for ruling in ruled.rulings], axis=0)
    lines = bands & (share > 0.6 * ruled.darkest) & (share < 1.2 * ruled.darkest)
    ink = ~bands & (share > _CORE * ruled.ink)
    blank = ~bands & (share < 0.3 * ruled.darkest)
    if min(np.count_nonzero(lines), np.count_nonzero(ink), np.count_nonzero(blank)) < 20:
        return None
    white = _colour(page, blank)
    line, stroke = white - _colour(page, lines), white - _colour(page, ink)
    least = 2.0  # grey levels: noise of a colour
    ratios = stroke / np.maximum(line, least)
    luma = float(stroke @ _LUMA) / max(float(line @ _LUMA), least)
    best = int(np.argmax(ratios))
    return best if ratios[best] > _GAIN * luma and stroke[best] > 0.3 * float(stroke @ _LUMA) else None


def _colour(page: Picture, where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean colour of the page where a fourth of its width and height says so."""
    found = np.flatnonzero(where)
    rows, columns = np.unravel_index(found[:: max(1, len(found) // _SAMPLES)], where.shape)
    mean: NDArray[np.float64] = page[4 * rows, 4 * columns].astype(np.float64).mean(axis=0)
    return mean
