"""How long to wait before asking, or telling, once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Retry:
    """Capped exponential backoff with jitter: the wait is drawn from the upper half of its bound.

    Full jitter (from zero) would now and then repeat a message at once, which here means a model's worth of chunks
    sent twice; half is enough to keep a fleet from repeating in step.

    Attributes:
        first_s: the bound of the first wait, in seconds.
        cap_s: the bound that later waits grow to, in seconds.
    """

    first_s: float
    cap_s: float

    def wait_s(self, tries: int, *, uniform: Callable[[], float]) -> float:
        """Draw the wait after so many tries (0 for the first), in seconds; ``uniform`` draws from [0, 1)."""
        bound = min(self.cap_s, self.first_s * 2.0 ** min(tries, 30))
        return bound * (0.5 + 0.5 * uniform())
