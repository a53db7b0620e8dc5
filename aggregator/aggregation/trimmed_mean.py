"""The mean of what is left of every coordinate without its extremes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.gathering import GATHERED_BYTES
from aggregator.aggregation.order_statistics import coordinate_wise
from aggregator.aggregation.stage import Aggregate, Updates
from aggregator.byzantine import Byzantine
from shared.tensors import Tensors


@dataclass(frozen=True)
class TrimmedMean:
    """The coordinate-wise trimmed mean: Yin et al. 2018, definition 2, algorithm 1 with option II.

    Of every coordinate the ``f`` greatest and the ``f`` smallest values are left out, with ``f = βn`` the hostile
    updates assumed, and the others averaged. With no more than ``f`` hostile updates among more than ``2f``, it lies
    within the range of the honest ones. An update counts once, however many samples it claims.

    Attributes:
        byzantine: the hostile updates assumed, β or βn.
        gathered_bytes: see `GATHERED_BYTES`.
    """

    byzantine: Byzantine = field(default_factory=Byzantine)
    gathered_bytes: int = GATHERED_BYTES

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the trimmed mean; for its memory and measurements see `coordinate_wise`.

        Measurements beside those: ``byzantine`` (hostile updates assumed, and values trimmed at either end).

        Raises:
            TooFewUpdatesError: trimming would leave nothing: β is below one half.
            RunError: a tensor does not fit, or is not finite.
        """
        count = len(updates.devices)
        hostile = self.byzantine.among(count, rule="trimmed-mean")

        def middle(ranked: NDArray[np.float32]) -> NDArray[np.float64]:
            # Column by column: a sum along the rows would be grouped as NumPy sees fit for their number.
            total = np.zeros(ranked.shape[0], np.float64)
            for column in range(hostile, count - hostile):
                total += ranked[:, column]
            total /= count - 2 * hostile
            return total

        found = coordinate_wise(
            updates, base=base, middle=middle, says="trimmed mean", gathered_bytes=self.gathered_bytes
        )
        return found.with_numbers(byzantine=float(hostile))
