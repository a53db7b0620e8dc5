"""Writes a report into a folder, every file whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.report.page import report_page
from deploy.report.picture import accuracy_picture
from deploy.report.record import RoundRecord, SimulationRecord
from shared.files import write_bytes

RECORD = "run.json"
METRICS = "metrics.jsonl"
PAGE = "report.html"
PICTURE = "accuracy.png"


def write_report(record: SimulationRecord, folder: Path) -> None:
    """Write ``report.html``, ``accuracy.png``, ``metrics.jsonl`` and ``run.json``.

    Raises:
        StorageError: the folder cannot be written, or the disk is full; what stood there before stands there still.
    """
    write_metrics(record, folder)
    write_bytes(folder / PICTURE, accuracy_picture(record))
    write_bytes(folder / PAGE, report_page(record).encode())
    record.save(folder / RECORD)


def write_metrics(record: SimulationRecord, folder: Path) -> None:
    """Write one line a round, run by run.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    lines = [_line(line) for run in record.runs for line in run.rounds]
    write_bytes(folder / METRICS, "".join(lines).encode())


def _line(line: RoundRecord) -> str:
    return json.dumps(line.model_dump(exclude_none=True)) + "\n"
