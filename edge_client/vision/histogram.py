"""Quantiles of grey levels, by counting them."""

from __future__ import annotations

import math

import numpy as np

from edge_client.vision.trace import Picture

_FEW = 2000  # pixels: fewer are sorted sooner than counted


def quantile(levels: Picture, share: float) -> int:
    """Return the grey level that this share of all pixels does not exceed; 0 where there are no pixels.

    Args:
        levels: any shape, uint8.
        share: from 0 to 1.
    """
    return quantiles(levels, share)[0]


def quantiles(levels: Picture, *shares: float, where: Picture | None = None) -> list[int]:
    """Return several quantiles from one count.

    Args:
        levels: ``(h, w) uint8``, or any shape.
        shares: from 0 to 1.
        where: ``(h, w) uint8``, not 0 where pixels count; None where all do.
    """
    seen = levels.reshape(-1) if where is None else levels[where > 0]
    if not seen.size:
        return [0 for _ in shares]
    if seen.size < _FEW:
        ordered = np.sort(seen)
        return [int(ordered[max(0, math.ceil(share * seen.size) - 1)]) for share in shares]
    counts = np.bincount(seen, minlength=256).cumsum()
    return [int(np.searchsorted(counts, share * counts[-1])) for share in shares]
