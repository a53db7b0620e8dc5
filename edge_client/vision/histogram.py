"""Quantiles of grey levels, by counting them."""

from __future__ import annotations

import numpy as np

from edge_client.vision.trace import Picture


def quantile(levels: Picture, share: float) -> int:
    """Return the grey level that this share of all pixels does not exceed; 0 where there are no pixels.

    Args:
        levels: any shape, uint8.
        share: from 0 to 1.
    """
    counts = np.bincount(levels.reshape(-1), minlength=256).cumsum()
    if not counts[-1]:
        return 0
    return int(np.searchsorted(counts, share * counts[-1]))
