"""The learning rate of a round.

Devices whose data differ pull the weights apart, and at a constant rate their average keeps moving: federated
averaging on such data converges only where the rate falls (Li et al. 2020, "On the Convergence of FedAvg on Non-IID
Data", arXiv:1907.02189, theorem 4).
"""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cooldown", "cosine", "linear", "constant"]

FINAL_SHARE = 0.02
"""What is left of the rate in the last round, of a schedule that falls."""

COOLDOWN_SHARE = 0.25
"""The part of the rounds, at the end, over which ``cooldown`` lets the rate fall."""


def learning_rate(initial: float, *, round_number: int, rounds: int, schedule: Schedule) -> float:
    """Return the rate that devices train with in a round.

    ``cosine`` is half a period of the cosine (Loshchilov and Hutter 2017, arXiv:1608.03983, equation 5, without
    restarts), ``linear`` a straight line, ``cooldown`` constant for three quarters of the rounds and then a straight
    line (Hägele et al. 2024, arXiv:2405.18392, section 3): a run of few rounds learns longer at the full rate. All end
    at 2 % of the initial rate.

    Args:
        initial: the rate of round 1.
        round_number: from 1 to ``rounds``.
        rounds: how many rounds the run has.
        schedule: how the rate falls.
    """
    if schedule == "constant" or rounds == 1:
        return initial
    done = (round_number - 1) / (rounds - 1)
    if schedule == "cosine":
        left = (1 + math.cos(math.pi * done)) / 2
    else:
        left = min(1.0, (1 - done) / (COOLDOWN_SHARE if schedule == "cooldown" else 1.0))
    return initial * (FINAL_SHARE + (1 - FINAL_SHARE) * left)
