"""How updates become the next global weights: small stages, composed.

A *transform* gives other updates (`ClipUpdates`), a *rule* makes one set of weights of them (`WeightedMean`, `Mean`);
each returns its measurements beside its result. `Aggregation` runs the transforms, then the rule.
"""

from aggregator.aggregation.clip import ClipUpdates
from aggregator.aggregation.mean import Mean
from aggregator.aggregation.pipeline import Aggregation, aggregation_for
from aggregator.aggregation.stage import (
    Aggregate,
    InMemoryUpdates,
    Measurements,
    Rule,
    Transform,
    Updates,
    step_squared,
)
from aggregator.aggregation.weighted_mean import WeightedMean

__all__ = [
    "Aggregate",
    "Aggregation",
    "ClipUpdates",
    "InMemoryUpdates",
    "Mean",
    "Measurements",
    "Rule",
    "Transform",
    "Updates",
    "WeightedMean",
    "aggregation_for",
    "step_squared",
]
