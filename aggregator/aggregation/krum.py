"""The one update that is closest to the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from aggregator.aggregation.distances import squared_distances
from aggregator.aggregation.gathering import GATHERED_BYTES
from aggregator.aggregation.measurements import Measurements, far_out
from aggregator.aggregation.stage import Aggregate, Updates, read_checked, step_squared
from aggregator.byzantine import Byzantine, RuleName
from shared.tensors import Tensors


@dataclass(frozen=True)
class Krum:
    """The update with the least sum of squared distances to its nearest neighbours: Blanchard et al. 2017, "Machine
    Learning with Adversaries: Byzantine Tolerant Gradient Descent", section 4.

    ``s(i) = Σ ‖V_i - V_j‖²`` over the ``n - f - 2`` updates ``j`` that are closest to ``i``; the one with the least
    ``s`` is the result, bit for bit, and of equals the first by its device's name. It needs ``n ≥ 2f + 3``. Who wrote
    all the others is lost in that round: where devices differ much, prefer `MultiKrum`.

    Attributes:
        byzantine: the hostile updates assumed, f or f/n.
        gathered_bytes: see `GATHERED_BYTES`.
    """

    byzantine: Byzantine = field(default_factory=Byzantine)
    gathered_bytes: int = GATHERED_BYTES

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the chosen update; for the memory see `squared_distances`.

        Measurements: ``byzantine`` (hostile updates assumed), ``step_norm_l2`` (of the difference to ``base``), of
        each device ``krum_score`` (the square root of s), and who was left out: all but one.

        Raises:
            TooFewUpdatesError: there are fewer than ``2f + 3``.
            RunError: a tensor does not fit, or is not finite.
        """
        ranking = Ranking.of(
            updates, base=base, byzantine=self.byzantine, rule="krum", gathered_bytes=self.gathered_bytes
        )
        chosen = ranking.best[0]
        result = {name: read_checked(updates, chosen, name, like=before).copy() for name, before in base.items()}
        squares = math.fsum(step_squared(result[name], before) for name, before in base.items())
        return Aggregate(result, ranking.measurements(kept=1)).with_numbers(step_norm_l2=math.sqrt(squares))


@dataclass(frozen=True)
class Ranking:
    """The updates of a round by their scores.

    Attributes:
        devices: in the order of their names.
        hostile: how many of them are assumed to be.
        scores: the square root of s of each.
        best: their positions, the least score first; equals in the order of the names.
    """

    devices: tuple[str, ...]
    hostile: int
    scores: tuple[float, ...]
    best: tuple[int, ...]

    @classmethod
    def of(
        cls, updates: Updates, *, base: Tensors, byzantine: Byzantine, rule: RuleName, gathered_bytes: int
    ) -> Ranking:
        """Score every update.

        Raises:
            TooFewUpdatesError: there are fewer than ``2f + 3``.
            RunError: a tensor does not fit, or is not finite.
        """
        count = len(updates.devices)
        hostile = byzantine.among(count, rule=rule)
        squares = squared_distances(updates, base=base, gathered_bytes=gathered_bytes)
        scores = []
        for position in range(count):
            others = np.sort(np.delete(squares[position], position))
            scores.append(math.sqrt(math.fsum(others[: count - hostile - 2])))
        best = sorted(range(count), key=lambda position: (scores[position], position))
        return cls(updates.devices, hostile, tuple(scores), tuple(best))

    def measurements(self, *, kept: int) -> Measurements:
        """What was measured, where so many of the best are used."""
        scores = dict(zip(self.devices, self.scores, strict=True))
        return Measurements(
            {"byzantine": float(self.hostile)},
            {"krum_score": scores},
            left_out=tuple(sorted(self.devices[position] for position in self.best[kept:])),
            suspects=far_out(scores, says="distance from the nearest others"),
        )
