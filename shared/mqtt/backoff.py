"""How long to wait before connecting again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Backoff:
    """Capped exponential backoff with full jitter.

    The wait before attempt ``n`` is drawn evenly from ``[0, min(cap_s, first_s · 2ⁿ)]``, so that a fleet that lost its
    broker in one instant does not come back in one instant (M. Brooker, "Exponential Backoff And Jitter", 2015).

    The cap is small, so that a fleet is back within seconds however long its broker was gone, and the jitter is what
    keeps it from coming at once: a thousand devices make 400 attempts a second, spread evenly, at a host that is down
    or just up. A refusal costs a broker more than a closed port does, and is waited out for long.

    Attributes:
        first_s: the bound of the first wait, in seconds.
        cap_s: the bound that later waits grow to, in seconds.
        refused_s: the wait after a refusal that trying again soon will not change (credentials, another client with
            our id), in seconds. Half of it is jitter.
        stable_s: a connection that held this long, in seconds, starts the count anew; a shorter one does not, so that
            two clients that throw each other out do not race.
        usable_s: a connection that held this long, in seconds, carried something: it counts as one failure, whatever
            was before. On a line that drops every few seconds, what little time there is must not go to waiting.
    """

    first_s: float = 0.5
    cap_s: float = 5.0
    refused_s: float = 60.0
    stable_s: float = 10.0
    usable_s: float = 2.0

    def failures_after(self, failures: int, *, lived_s: float) -> int:
        """Return how many failures in a row count after a connection that held for ``lived_s`` seconds."""
        if lived_s >= self.stable_s:
            return 0
        return min(failures, 1) if lived_s >= self.usable_s else failures

    def wait_s(self, attempt: int, *, rng: np.random.Generator) -> float:
        """Draw the wait after ``attempt`` failures in a row (0 for the first), in seconds."""
        bound = min(self.cap_s, self.first_s * 2.0 ** min(attempt, 60))
        return float(rng.uniform(0.0, bound))

    def wait_refused_s(self, *, rng: np.random.Generator) -> float:
        """Draw the wait after a refusal, in seconds."""
        return float(rng.uniform(self.refused_s / 2, self.refused_s))
