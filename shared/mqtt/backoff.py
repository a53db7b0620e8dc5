"""How long to wait before connecting again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Backoff:
    """Capped exponential backoff with full jitter.

    The wait before attempt ``n`` is drawn evenly from ``[0, min(cap_s, first_s · 2ⁿ)]``, so that a fleet that lost its
    broker in one instant does not come back in one instant (M. Brooker, "Exponential Backoff And Jitter", 2015).

    Attributes:
        first_s: the bound of the first wait, in seconds.
        cap_s: the bound that later waits grow to, in seconds.
        refused_s: the wait after a refusal that trying again soon will not change (credentials, another client with
            our id), in seconds. Half of it is jitter.
        stable_s: a connection that held this long, in seconds, starts the count anew; a shorter one does not, so that
            two clients that throw each other out do not race.
    """

    first_s: float = 0.5
    cap_s: float = 30.0
    refused_s: float = 60.0
    stable_s: float = 10.0

    def wait_s(self, attempt: int, *, rng: np.random.Generator) -> float:
        """Draw the wait after ``attempt`` failures in a row (0 for the first), in seconds."""
        bound = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 60))
        return float(rng.uniform(0.0, bound))

    def wait_refused_s(self, *, rng: np.random.Generator) -> float:
        """Draw the wait after a refusal, in seconds."""
        return float(rng.uniform(self.refused_s / 2, self.refused_s))
