"""How far every update is from every other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.gathering import GATHERED_BYTES, gathered
from aggregator.aggregation.stage import Updates
from shared.tensors import Tensors

_COMPARED_VALUES = 1 << 21


def squared_distances(updates: Updates, *, base: Tensors, gathered_bytes: int = GATHERED_BYTES) -> NDArray[np.float64]:
    """Return the squared L2 distances of all pairs of updates, over all parameters together.

    Accumulated tensor by tensor, in float64. Memory is ``gathered_bytes`` for the values of all updates, 16 MiB for
    those that are being compared, one tensor of one update, and the result. The time grows with the square of the
    updates: about two nanoseconds for each parameter of each pair.

    Each pair is summed by itself, in an order that depends on nothing but the shapes, and never by a matrix product:
    ``‖a‖² + ‖b‖² - 2ab`` would be faster, cancels where updates are close, and BLAS sums as its threads have it.

    Args:
        updates: at least one.
        base: names and shapes of the parameters.
        gathered_bytes: see `GATHERED_BYTES`.

    Returns:
        ``(updates, updates)`` float64, symmetric, zero on the diagonal.

    Raises:
        RunError: a tensor does not fit, or is not finite.
    """
    count = len(updates.devices)
    width = max(1, _COMPARED_VALUES // count)
    squares = np.zeros((count, count), np.float64)
    for name, before in base.items():
        for _, values in gathered(updates, name, like=before, gathered_bytes=gathered_bytes):
            for start in range(0, values.shape[1], width):
                block = values[:, start : start + width].astype(np.float64)
                step = np.empty(block.shape[1], np.float64)
                for one in range(count):
                    for other in range(one + 1, count):
                        np.subtract(block[one], block[other], out=step)
                        squares[one, other] += np.square(step, out=step).sum()
    return squares + squares.T
