"""Which samples leave a full store: the most frequent label loses first, so that rare ones keep what they have."""

from __future__ import annotations

import sqlite3


def enforce_cap(connection: sqlite3.Connection, *, max_samples: int) -> int:
    """Delete what the store holds beyond its cap; of a label's samples the oldest, corrections last.

    Args:
        connection: within the transaction that added some.
        max_samples: the cap; 0 for none.

    Returns:
        How many samples left.
    """
    if not max_samples:
        return 0
    counts = dict(connection.execute("SELECT label, count(*) FROM samples GROUP BY label"))
    leaving = surplus(counts, cap=max_samples)
    for label, leaves in leaving.items():
        connection.execute(
            "DELETE FROM samples WHERE id IN (SELECT id FROM samples WHERE label = ? ORDER BY corrected, id LIMIT ?)",
            (label, leaves),
        )
    return sum(leaving.values())


def surplus(counts: dict[str, int], *, cap: int) -> dict[str, int]:
    """Say how many samples of each label must leave, if always one of the most frequent label does."""
    excess = sum(counts.values()) - cap
    if excess <= 0:
        return {}
    # The greatest level to which every label can be cut so that no more than the cap stay.
    low, high = 0, max(counts.values())
    while low < high:
        level = (low + high + 1) // 2
        if sum(min(count, level) for count in counts.values()) <= cap:
            low = level
        else:
            high = level - 1
    leaving = {label: count - low for label, count in counts.items() if count > low}
    # Between this level and the next there is room for some: the last labels keep one more each.
    spare = cap - sum(min(count, low) for count in counts.values())
    for label in sorted(leaving, reverse=True)[:spare]:
        leaving[label] -= 1
    return {label: leaves for label, leaves in leaving.items() if leaves}
