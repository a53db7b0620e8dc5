"""Federated averaging."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from aggregator.aggregation.measurements import Measurements
from aggregator.aggregation.stage import Aggregate, Updates, read_checked
from shared.errors import RunError, SettingsError
from shared.tensors import Tensors


class WeightedMean:
    """The mean of the updates, each weighted by its samples.

    FedAvg, McMahan et al. 2017, algorithm 1: ``w[t+1] = Σ n_k/n · w_k[t+1]``, with ``n = Σ n_k`` over the round's
    updates. Sums are float64; the result is rounded to float32 once.

    How many samples there were is each device's own claim. So no update weighs more than ``cap`` times the median claim
    of the round, the lower of the two middle ones where their number is even: a device that claims a million does not
    own the mean, and a minority cannot move the median out of the others' range. Where nobody is above, the cap changes
    no bit.

    Args:
        cap: of a weight, as a multiple of the median; 0 for none.

    Raises:
        SettingsError: the cap is below 1 and not 0, or not finite.
    """

    def __init__(self, *, cap: float = 0.0) -> None:
        if cap != 0 and not (math.isfinite(cap) and cap >= 1):
            raise SettingsError(f"expected a cap of 1 or more times the median, or 0 for none, got {cap!r}")
        self._cap = cap

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the weighted mean.

        Measurements: ``weight_total`` (samples), ``step_norm_l2`` (of the difference to ``base``); where somebody is
        above the cap, ``weight_cap`` (samples), and of each such device ``capped_samples``, its claim.

        Raises:
            RunError: there are no updates, or all weights are zero: a mean of nothing is not guessed.
        """
        claims = [float(samples) for samples in updates.samples]
        most = self._cap * statistics.median_low(claims) if self._cap and claims else math.inf
        capped = {device: claim for device, claim in zip(updates.devices, claims, strict=True) if claim > most}
        aggregate = weighted_mean(updates, base=base, weights=[min(claim, most) for claim in claims])
        if not capped:
            return aggregate
        measured = Measurements({"weight_cap": most}, {"capped_samples": capped})
        return Aggregate(aggregate.weights, aggregate.measurements | measured)


def weighted_mean(updates: Updates, *, base: Tensors, weights: Sequence[float]) -> Aggregate:
    """Average tensor by tensor: memory is one tensor twice in float64, one update's tensor, and the result.

    Args:
        updates: in the order of their devices' names.
        base: the weights that the updates started from; names, shapes and order of the result.
        weights: of each update, not negative.

    Raises:
        RunError: see `WeightedMean.combine`.
    """
    total = math.fsum(weights)
    if not total > 0 or min(weights) < 0:
        raise RunError(
            f"expected weights that sum to more than zero and none below, got {total:g} from {len(weights)} updates"
        )
    result: Tensors = {}
    squares = 0.0
    for name, before in base.items():
        accumulator = np.zeros(before.shape, np.float64)
        weighted = np.empty(before.shape, np.float64)
        for position, weight in enumerate(weights):
            tensor = read_checked(updates, position, name, like=before)
            accumulator += np.multiply(tensor, weight, out=weighted, dtype=np.float64)
        accumulator /= total
        result[name] = accumulator.astype(np.float32)
        accumulator -= before
        squares += float(np.square(accumulator, out=weighted).sum())
    return Aggregate(result, Measurements({"weight_total": total, "step_norm_l2": math.sqrt(squares)}))
