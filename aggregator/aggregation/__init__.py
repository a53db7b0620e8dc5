"""How updates become the next global weights: small stages, composed.

A *transform* gives other updates (`ClipUpdates`, `ClipToMedian`), a *rule* makes one set of weights of them
(`WeightedMean`, `Mean`; `Median`, `TrimmedMean`, `Krum` and `MultiKrum` bear hostile ones among them); each returns its
measurements beside its result. `Aggregation` runs the transforms, then the rule.
"""

from aggregator.aggregation.clip import ClipToMedian, ClipUpdates
from aggregator.aggregation.krum import Krum
from aggregator.aggregation.mean import Mean
from aggregator.aggregation.measurements import Measurements
from aggregator.aggregation.median import Median
from aggregator.aggregation.multi_krum import MultiKrum
from aggregator.aggregation.pipeline import Aggregation, aggregation_for
from aggregator.aggregation.stage import (
    Aggregate,
    InMemoryUpdates,
    Rule,
    Transform,
    Updates,
    step_squared,
)
from aggregator.aggregation.trimmed_mean import TrimmedMean
from aggregator.aggregation.weighted_mean import WeightedMean

__all__ = [
    "Aggregate",
    "Aggregation",
    "ClipToMedian",
    "ClipUpdates",
    "InMemoryUpdates",
    "Krum",
    "Mean",
    "Measurements",
    "Median",
    "MultiKrum",
    "Rule",
    "Transform",
    "TrimmedMean",
    "Updates",
    "WeightedMean",
    "aggregation_for",
    "step_squared",
]
