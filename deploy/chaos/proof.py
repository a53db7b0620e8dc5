"""What a round's weights show: whether they are the mean of its updates, each once, or else what is wrong with them.

The weights are looked at through their mark alone (`deploy.chaos.witness`), which is linear: where update *i* counts
*k_i* times with weight *w_i*, the mean's mark is ``Σ k_i w_i m_i / Σ k_i w_i``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.chaos.witness import mark_of
from shared.tensors import Tensors

_ROUNDING = 16 * 2.0**-24
"""How far a mark may be off, for weights of norm 1. Each is rounded to float32 once; the errors add up as a random
walk."""

_MULTIPLES = (0, 2, 3)
"""How often an update may count that does not count once: left out, twice, three times."""


@dataclass(frozen=True)
class Finding:
    """What the weights of a round show.

    Attributes:
        proven: they are the mean of the updates, each once.
        left_out: updates that are not in them.
        again: how often updates are in them beyond the first time.
    """

    proven: bool
    left_out: int = 0
    again: int = 0


def examine(tensors: Tensors, *, marks: Sequence[float], weights: Sequence[float]) -> Finding:
    """Hold the weights of a round against the updates that are to be in them.

    One update that does not count once is told apart; of several, one number cannot say which they are: then nothing
    is proven, and nothing counted.

    Args:
        tensors: the round's weights.
        marks: of its updates.
        weights: of the updates in the mean; not all zero.
    """
    mark, weight = np.array(marks, np.float64), np.array(weights, np.float64)
    norm = float(np.sqrt(sum(float(np.vdot(tensor, tensor)) for tensor in tensors.values())))
    found, nearest = mark_of(tensors), _ROUNDING * max(norm, 1.0)
    if abs(weight @ mark / weight.sum() - found) <= nearest:
        return Finding(proven=True)
    finding = Finding(proven=False)
    for times in _MULTIPLES:
        totals = weight.sum() + (times - 1) * weight
        possible = totals > 0
        means = (weight @ mark + (times - 1) * weight * mark)[possible] / totals[possible]
        off = float(np.min(np.abs(means - found), initial=np.inf))
        if off <= nearest:
            finding, nearest = Finding(False, left_out=times == 0, again=max(0, times - 1)), off
    return finding
