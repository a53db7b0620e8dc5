"""Writes a report into a folder, every file whole or not at all."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

from deploy.report.page import report_page
from deploy.report.picture import accuracy_picture
from deploy.report.record import RoundRecord, SimulationRecord
from shared.files import storage_error, write_bytes

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


def add_metrics(line: RoundRecord, folder: Path) -> None:
    """Add one round's line to those that `write_metrics` wrote, whole or not at all.

    A run of many rounds would write the lines before it again and again.

    Raises:
        StorageError: the file cannot be written, or the disk is full.
    """
    file = folder / METRICS
    data = _line(line).encode()
    try:
        with file.open("ab", buffering=0) as lines:
            before = lines.tell()
            if lines.write(data) != len(data):
                lines.truncate(before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise storage_error(f"cannot write {file}", error) from error


def _line(line: RoundRecord) -> str:
    return json.dumps(line.model_dump(exclude_none=True)) + "\n"
