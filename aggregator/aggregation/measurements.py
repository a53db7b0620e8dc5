"""What the stages of an aggregation measured, and whom they suspect."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAR_OUT = 3.5
"""A modified z-score above this is an outlier: Iglewicz and Hoaglin 1993, "How to Detect and Handle Outliers"."""

LEAST_TO_COMPARE = 5
"""Among fewer updates nobody is called an outlier."""

_DIGITS = 6


@dataclass(frozen=True)
class Measurements:
    """Numbers of a round; units are in the names. All are finite.

    Attributes:
        numbers: of the whole round, by name.
        by_device: of each device's update: the name of the measure, then the device.
        left_out: devices whose updates the rule did not use, in the order of their names. A rule leaves out as many
            as it was told to, honest ones too: being left out once says little.
        suspects: devices whose updates are far from all others, and why they are suspected, in words.
        notice: what a person should know of the round; mostly nothing.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    by_device: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    suspects: Mapping[str, str] = field(default_factory=dict)
    notice: str = ""

    def __or__(self, other: Measurements) -> Measurements:
        """Add those of the next stage; its words about a suspect go before earlier ones."""
        return Measurements(
            {**self.numbers, **other.numbers},
            {**self.by_device, **other.by_device},
            tuple(sorted({*self.left_out, *other.left_out})),
            dict(sorted({**self.suspects, **other.suspects}.items())),
            other.notice or self.notice,
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values: the numbers by name, and beside them what there is of the rest."""
        values: dict[str, Any] = dict(self.numbers)
        if self.by_device:
            values["by_device"] = {
                measure: {device: float(f"{value:.{_DIGITS}g}") for device, value in devices.items()}
                for measure, devices in self.by_device.items()
            }
        if self.left_out:
            values["left_out"] = list(self.left_out)
        if self.suspects:
            values["suspects"] = dict(self.suspects)
        if self.notice:
            values["notice"] = self.notice
        return values


def far_out(scores: Mapping[str, float], *, says: str) -> dict[str, str]:
    """Return the devices whose score is far above the others', each with the reason in words.

    The modified z-score, ``0.6745 · (x - median) / MAD``, with the median and the median absolute deviation of the
    round: both bear nearly half of the devices lying. Where more than half of the scores are equal, the mean absolute
    deviation from the median takes MAD's place, with the factor 0.7979.

    Args:
        scores: of each device, finite.
        says: what the score is, for people: ``distance from the median``.
    """
    if len(scores) < LEAST_TO_COMPARE:
        return {}
    middle = statistics.median(scores.values())
    deviations = [abs(score - middle) for score in scores.values()]
    spread = statistics.median(deviations) / 0.6745 or statistics.fmean(deviations) / 0.7979
    # Equal updates differ by how they were rounded, which says nothing about their devices.
    if spread <= 1e-9 * abs(middle):
        return {}
    return {
        device: f"{says} {score:.4g}, median of the round {middle:.4g}"
        for device, score in scores.items()
        if (score - middle) / spread > FAR_OUT
    }
