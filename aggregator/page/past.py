"""What a run did before this process began, read from its folder beside the loop, which is not asked for it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from aggregator.events import Event
from aggregator.page.chronicle import KEPT_DEVICES, LastUpdate
from aggregator.store import DATABASE

_METRICS_BYTES = 16 * 1024 * 1024  # of the end of a long file


def rounds_of(folder: Path, run: str) -> Iterator[Event]:
    """Read the lines of metrics of a run, in their order; what cannot be read is left out."""
    with contextlib.suppress(OSError), (folder / "metrics.jsonl").open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _METRICS_BYTES))
        for line in file.read(_METRICS_BYTES).splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and event.get("run") == run and isinstance(event.get("round"), int):
                    yield event


def updates_of(folder: Path, run: str) -> list[tuple[str, LastUpdate]]:
    """Read each device's last update that counts in a run, those of the last rounds at the end.

    The database is opened to be read alone: the loop can write to it meanwhile.
    """
    try:
        database = sqlite3.connect(f"{(folder / DATABASE).resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
        with contextlib.closing(database):
            rows = database.execute(
                "SELECT device, MAX(round), samples FROM contributions WHERE run = ? "
                "GROUP BY device ORDER BY MAX(round) DESC LIMIT ?",
                (run, KEPT_DEVICES),
            ).fetchall()
    except sqlite3.Error:
        return []
    return [(device, LastUpdate(number, samples, "accepted")) for device, number, samples in reversed(rows)]
