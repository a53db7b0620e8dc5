"""Stages, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aggregator.aggregation.clip import ClipUpdates
from aggregator.aggregation.mean import Mean
from aggregator.aggregation.stage import Aggregate, Measurements, Rule, Transform, Updates
from aggregator.aggregation.weighted_mean import WeightedMean
from shared.tensors import Tensors


@dataclass(frozen=True)
class Aggregation:
    """Transforms in order, then a rule: ``Aggregation(WeightedMean(), (ClipUpdates(max_norm_l2=3.0),))``."""

    rule: Rule
    transforms: tuple[Transform, ...] = ()

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the next weights and the measurements of every stage; see `Rule.combine`.

        Raises:
            RunError: from the rule.
        """
        measurements: Measurements = {"updates": float(len(updates.devices))}
        for transform in self.transforms:
            updates, measured = transform.apply(updates, base=base)
            measurements |= measured
        aggregate = self.rule.combine(updates, base=base)
        return Aggregate(aggregate.weights, measurements | aggregate.measurements)


def aggregation_for(*, weighting: Literal["samples", "uniform"], clip_update_norm: float = 0.0) -> Aggregation:
    """Compose the aggregation that the settings ask for.

    Args:
        weighting: ``samples`` for FedAvg's weighted mean, ``uniform`` for the plain one.
        clip_update_norm: greatest L2 norm of an update; 0 does not clip.
    """
    rule: Rule = WeightedMean() if weighting == "samples" else Mean()
    return Aggregation(rule, (ClipUpdates(max_norm_l2=clip_update_norm),) if clip_update_norm else ())
