"""The mean of the updates that are closest to the others."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.gathering import GATHERED_BYTES
from aggregator.aggregation.krum import Ranking
from aggregator.aggregation.mean import Mean
from aggregator.aggregation.stage import Aggregate, Updates
from aggregator.byzantine import Byzantine
from shared.tensors import Tensors


@dataclass(frozen=True)
class MultiKrum:
    """The plain mean of the ``m`` updates with the least scores of `Krum`: Blanchard et al. 2017, section 6, "m-Krum".

    The paper leaves ``m`` open, from Krum's own 1 to the mean's ``n``; here it is ``n - f``, as many as are honest at
    the least. Fewer leave out honest devices in every round, and the same ones each time where devices differ. Where
    hostile updates lie further out than the honest ones do, this is the mean of the honest. It needs ``n ≥ 2f + 3``.
    An update counts once, however many samples it claims.

    Attributes:
        byzantine: the hostile updates assumed, f or f/n.
        gathered_bytes: see `GATHERED_BYTES`.
    """

    byzantine: Byzantine = field(default_factory=Byzantine)
    gathered_bytes: int = GATHERED_BYTES

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the mean of the chosen; for the memory see `squared_distances` and `weighted_mean`.

        Measurements: ``byzantine`` (hostile updates assumed), those of `Mean`, of each device ``krum_score``, and who
        was left out.

        Raises:
            TooFewUpdatesError: there are fewer than ``2f + 3``.
            RunError: a tensor does not fit, or is not finite.
        """
        ranking = Ranking.of(
            updates, base=base, byzantine=self.byzantine, rule="multi-krum", gathered_bytes=self.gathered_bytes
        )
        kept = len(ranking.devices) - ranking.hostile
        mean = Mean().combine(_Chosen(updates, sorted(ranking.best[:kept])), base=base)
        return Aggregate(mean.weights, mean.measurements | ranking.measurements(kept=kept))


class _Chosen:
    """Some of the updates, in the order of the devices' names."""

    def __init__(self, updates: Updates, positions: list[int]) -> None:
        self._updates = updates
        self._positions = positions

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self._updates.devices[position] for position in self._positions)

    @property
    def samples(self) -> tuple[int, ...]:
        return tuple(self._updates.samples[position] for position in self._positions)

    def tensor(self, position: int, name: str) -> NDArray[np.float32]:
        return self._updates.tensor(self._positions[position], name)
