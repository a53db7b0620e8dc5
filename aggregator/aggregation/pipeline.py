"""Stages, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aggregator.aggregation.clip import ClipToMedian, ClipUpdates
from aggregator.aggregation.krum import Krum
from aggregator.aggregation.mean import Mean
from aggregator.aggregation.measurements import Measurements
from aggregator.aggregation.median import Median
from aggregator.aggregation.multi_krum import MultiKrum
from aggregator.aggregation.stage import Aggregate, Rule, Transform, Updates
from aggregator.aggregation.trimmed_mean import TrimmedMean
from aggregator.aggregation.weighted_mean import WeightedMean
from aggregator.byzantine import Byzantine, RuleName, TooFewUpdatesError
from shared.tensors import Tensors

_ROBUST: dict[str, type[Median | TrimmedMean | Krum | MultiKrum]] = {
    "median": Median,
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "multi-krum": MultiKrum,
}


@dataclass(frozen=True)
class Aggregation:
    """Transforms in order, then a rule: ``Aggregation(WeightedMean(), (ClipUpdates(max_norm_l2=3.0),))``."""

    rule: Rule
    transforms: tuple[Transform, ...] = ()

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the next weights and the measurements of every stage; see `Rule.combine`.

        With too few updates for the hostile ones that the rule assumes, the weights stay as they are, and a notice
        says so: a fleet goes on, whoever is missing may be back in the next round, and a round without a step does no
        harm, while one by a majority that may be hostile can do any.

        Raises:
            RunError: there are no updates, or whatever else the rule refuses.
        """
        measurements = Measurements({"updates": float(len(updates.devices))})
        for transform in self.transforms:
            updates, measured = transform.apply(updates, base=base)
            measurements |= measured
        try:
            aggregate = self.rule.combine(updates, base=base)
        except TooFewUpdatesError as error:
            if not updates.devices:
                raise
            notice = f"the weights stay as they are: {error}"
            aggregate = Aggregate(dict(base), Measurements({"step_norm_l2": 0.0}, notice=notice))
        return Aggregate(aggregate.weights, measurements | aggregate.measurements)


def aggregation_for(
    *,
    weighting: Literal["samples", "uniform"] = "samples",
    sample_cap: float = 0.0,
    rule: RuleName = "mean",
    byzantine: float = 0.2,
    clip_update_norm: float = 0.0,
    clip_to_median: float = 0.0,
) -> Aggregation:
    """Compose the aggregation that the settings ask for.

    Args:
        weighting: of the mean: ``samples`` for FedAvg's weighted mean, ``uniform`` for the plain one. The other rules
            count every update once.
        sample_cap: of the weighted mean, see `WeightedMean`; 0 caps nothing.
        rule: what makes one of many.
        byzantine: see `Byzantine`; the mean assumes nothing.
        clip_update_norm: greatest L2 norm of an update; 0 does not clip.
        clip_to_median: the same as a multiple of the round's median; 0 does not clip.

    Raises:
        SettingsError: the assumed hostile devices are neither a share nor a number, or the cap is below 1.
    """
    transforms: list[Transform] = []
    if clip_update_norm:
        transforms.append(ClipUpdates(max_norm_l2=clip_update_norm))
    if clip_to_median:
        transforms.append(ClipToMedian(factor=clip_to_median))
    return Aggregation(_rule(rule, weighting, sample_cap, byzantine), tuple(transforms))


def _rule(name: RuleName, weighting: str, sample_cap: float, byzantine: float) -> Rule:
    if name == "mean":
        return WeightedMean(cap=sample_cap) if weighting == "samples" else Mean()
    return _ROBUST[name](Byzantine(byzantine))
