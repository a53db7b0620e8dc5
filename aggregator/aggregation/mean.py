"""The plain mean."""

from __future__ import annotations

from aggregator.aggregation.stage import Aggregate, Updates
from aggregator.aggregation.weighted_mean import weighted_mean
from shared.tensors import Tensors


class Mean:
    """The mean of the updates, each of the same weight: a device with few samples says as much as one with many."""

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the plain mean.

        Measurements: ``weight_total`` (updates), ``step_norm_l2`` (of the difference to ``base``).

        Raises:
            RunError: there are no updates.
        """
        return weighted_mean(updates, base=base, weights=[1.0] * len(updates.devices))
