"""The learning rate of a round.

Devices whose data differ pull the weights apart, and at a constant rate their average keeps moving: federated
averaging on such data converges only where the rate falls (Li et al. 2020, "On the Convergence of FedAvg on Non-IID
Data", arXiv:1907.02189, theorem 4).
"""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "linear", "constant"]

FINAL_SHARE = 0.02
"""What is left of the rate in the last round, of a schedule that falls."""


def learning_rate(initial: float, *, round_number: int, rounds: int, schedule: Schedule) -> float:
    """Return the rate that devices train with in a round.

    ``cosine`` is half a period of the cosine (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without
    restarts), ``linear`` a straight line; both end at 2 % of the initial rate.

    Args:
        initial: the rate of round 1.
        round_number: from 1 to ``rounds``.
        rounds: how many rounds the run has.
        schedule: how the rate falls.
    """
    if schedule == "constant" or rounds == 1:
        return initial
    done = (round_number - 1) / (rounds - 1)
    left = 1 - done if schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    return initial * (FINAL_SHARE + (1 - FINAL_SHARE) * left)
