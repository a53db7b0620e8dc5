"""The same part of one tensor of every update, side by side, within a stated memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.stage import Updates, read_checked

GATHERED_BYTES = 128 * 1024 * 1024
"""Memory for the values of all updates that are looked at together, in bytes.

A tensor that has more of them is taken in parts, and read once for each: with 1,000 devices, a part has 33,554 values,
and the largest tensor of the built-in model is read ten times.
"""


def gathered(
    updates: Updates, name: str, *, like: NDArray[np.float32], gathered_bytes: int = GATHERED_BYTES
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Give a parameter of all updates, part by part.

    Memory is ``gathered_bytes``, or one value of each update if that is more, and one tensor of one update. What is
    given is overwritten by the next part.

    Args:
        updates: at least one.
        name: of the parameter.
        like: the base's tensor.
        gathered_bytes: see `GATHERED_BYTES`.

    Yields:
        which part of the flattened tensor it is, and its values, ``(updates, values)`` float32.

    Raises:
        RunError: a tensor does not fit, or is not finite.
    """
    count = len(updates.devices)
    width = max(1, min(like.size, gathered_bytes // (4 * count)))
    room = np.empty((count, width), np.float32)
    for start in range(0, like.size, width):
        part = slice(start, min(start + width, like.size))
        values = room[:, : part.stop - part.start]
        for position in range(count):
            values[position] = read_checked(updates, position, name, like=like).reshape(-1)[part]
        yield part, values
