"""The median of every coordinate."""

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
class Median:
    """The coordinate-wise median: Yin et al. 2018, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical
    Rates", definition 1, algorithm 1 with option I.

    Every coordinate is the median of what the updates have there; of an even number, the mean of the two in the middle.
    With ``f`` hostile updates among more than ``2f``, it lies within the range of the honest ones, whatever the
    hostile ones are. An update counts once, however many samples it claims.

    Attributes:
        byzantine: the hostile updates assumed; too few updates for them are refused.
        gathered_bytes: see `GATHERED_BYTES`.
    """

    byzantine: Byzantine = field(default_factory=Byzantine)
    gathered_bytes: int = GATHERED_BYTES

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the median; for its memory and measurements see `coordinate_wise`.

        Measurements beside those: ``byzantine`` (hostile updates assumed).

        Raises:
            TooFewUpdatesError: there are no more than twice the hostile updates assumed.
            RunError: a tensor does not fit, or is not finite.
        """
        hostile = self.byzantine.among(len(updates.devices), rule="median")
        found = coordinate_wise(updates, base=base, middle=_median, says="median", gathered_bytes=self.gathered_bytes)
        return found.with_numbers(byzantine=float(hostile))


def _median(ranked: NDArray[np.float32]) -> NDArray[np.float64]:
    count = ranked.shape[1]
    lower = ranked[:, (count - 1) // 2].astype(np.float64)
    lower += ranked[:, count // 2]
    lower *= 0.5
    return lower
