"""Rules that look at one coordinate at a time, and sort what the devices say of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.gathering import GATHERED_BYTES, gathered
from aggregator.aggregation.measurements import Measurements, far_out
from aggregator.aggregation.stage import Aggregate, Updates, step_squared
from shared.tensors import Tensors

_SORTED_VALUES = 1 << 20

Middle = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Of sorted values, ``(values, updates)`` float32 rising along the rows, one for each row: ``(values,)`` float64."""


def coordinate_wise(
    updates: Updates, *, base: Tensors, middle: Middle, says: str, gathered_bytes: int = GATHERED_BYTES
) -> Aggregate:
    """Sort each coordinate over the updates, and take the middle.

    Memory is ``gathered_bytes`` for the values of all updates, 4 MiB more for those that are being sorted,
    one tensor of one update, a tensor in float64, and the result.

    Measurements: ``step_norm_l2`` (of the difference to ``base``), and of each device ``distance_l2`` from the result,
    over all parameters together. Devices that are far from it are suspected.

    Args:
        updates: at least one.
        base: names, shapes and order of the result.
        middle: what is taken of each coordinate; it may not depend on anything but the values.
        says: the result's name, for people.
        gathered_bytes: see `GATHERED_BYTES`.

    Raises:
        RunError: a tensor does not fit, or is not finite.
    """
    devices = updates.devices
    rows = max(1, _SORTED_VALUES // len(devices))
    result: Tensors = {}
    squares, distances = 0.0, [0.0] * len(devices)
    for name, before in base.items():
        found = np.empty(before.size, np.float32)
        for part, values in gathered(updates, name, like=before, gathered_bytes=gathered_bytes):
            taken = found[part]
            for start in range(0, taken.size, rows):
                ranked = np.ascontiguousarray(values[:, start : start + rows].T)
                ranked.sort(axis=1)
                taken[start : start + rows] = middle(ranked)
            for position in range(len(devices)):
                distances[position] += step_squared(values[position], taken)
        result[name] = found.reshape(before.shape)
        squares += step_squared(result[name], before)
    by_device = {device: math.sqrt(square) for device, square in zip(devices, distances, strict=True)}
    measured = Measurements(
        {"step_norm_l2": math.sqrt(squares)},
        {"distance_l2": by_device},
        suspects=far_out(by_device, says=f"distance from the {says}"),
    )
    return Aggregate(result, measured)
