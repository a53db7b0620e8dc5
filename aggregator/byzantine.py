"""How many of a round's updates may come from hostile devices, and how many updates a rule needs to bear them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from shared.errors import RunError, SettingsError

RuleName = Literal["mean", "median", "trimmed-mean", "krum", "multi-krum"]
"""What the settings call the rules of `aggregator.aggregation`."""


class TooFewUpdatesError(RunError):
    """Too few updates came for the rule to bear as many hostile ones as are assumed."""


@dataclass(frozen=True)
class Byzantine:
    """The assumed hostile devices, who may send whatever they like (Lamport, Shostak and Pease 1982).

    Attributes:
        assumed: a share below one half, or a whole number from 1 on.

    Raises:
        SettingsError: it is neither.
    """

    assumed: float = 0.2

    def __post_init__(self) -> None:
        share = 0 < self.assumed < 0.5
        number = math.isfinite(self.assumed) and self.assumed >= 1 and self.assumed == int(self.assumed)
        if not share and not number:
            raise SettingsError(
                f"hostile devices are a share above 0 and below 0.5, or a whole number from 1 on; got {self.assumed:g}"
            )

    def of(self, updates: int) -> int:
        """Return how many of so many updates are assumed to be hostile: of a share the whole part, and at least 1."""
        if self.assumed >= 1:
            return int(self.assumed)
        return max(1, math.floor(self.assumed * updates + 1e-9))

    def among(self, updates: int, *, rule: RuleName) -> int:
        """Return the same, where the rule can bear so many.

        Raises:
            TooFewUpdatesError: it cannot.
        """
        hostile = self.of(updates)
        needed = needed_updates(rule, hostile=hostile)
        if updates < needed:
            raise TooFewUpdatesError(
                f"{rule} needs {needed} updates or more where {hostile} may be hostile, and got {updates}"
            )
        return hostile

    def least_updates(self, rule: RuleName) -> int:
        """Return from how many updates on a rule always bears the share, or the number, that is assumed."""
        if self.assumed >= 1:
            return needed_updates(rule, hostile=int(self.assumed))
        # With n updates at most s·n are hostile, and 2·s·n + 3 are needed at most: enough from 3 / (1 - 2s) on.
        enough = math.ceil(3 / (1 - 2 * self.assumed)) + 1
        return 1 + max(n for n in range(enough + 1) if n == 0 or n < needed_updates(rule, hostile=self.of(n)))


def needed_updates(rule: RuleName, *, hostile: int) -> int:
    """How many updates a rule needs to bear so many hostile ones: ``2f + 1``, and ``2f + 3`` for those of Krum.

    The mean bears none, and needs one update.
    """
    return {"mean": 1, "median": 2 * hostile + 1, "trimmed-mean": 2 * hostile + 1}.get(rule, 2 * hostile + 3)
