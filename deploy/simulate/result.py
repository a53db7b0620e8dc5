"""What a simulation says at its end: one JSON object for programs, a few lines for people."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from deploy.report.record import RunRecord, SimulationRecord
from deploy.report.wording import duration, partition_name, percent, plural, size


def as_json(record: SimulationRecord, *, out: Path, wall_s: float) -> dict[str, Any]:
    """Return the result; its single numbers are those of the first run, ``runs`` has all.

    Args:
        record: of a finished simulation.
        out: where the files are.
        wall_s: how long everything took.
    """
    first = record.runs[0]
    return {
        **_numbers(first),
        "wall_s": round(wall_s, 3),
        "bytes_up": sum(run.bytes_up for run in record.runs),
        "bytes_down": sum(run.bytes_down for run in record.runs),
        "test_samples": record.test_samples,
        "tested_on": record.tested_on,
        "broker": record.broker,
        "out": str(out),
        "report": str(out / "report.html"),
        "runs": [{"partition": run.partition, **_numbers(run)} for run in record.runs],
    }


def in_words(record: SimulationRecord, *, out: Path) -> list[str]:
    """Tell the result in a few lines."""
    lines = []
    for run in record.runs:
        if run.last is not None:
            share = run.outside_training_share
            outside = f", {percent(share, digits=0)} of the rounds outside training" if share is not None else ""
            lines.append(
                f"{partition_name(run.partition)}: {percent(run.last.accuracy)} on {record.tested_on} after "
                f"{plural(run.last.round, 'round')} in {duration(run.wall_s)}{outside}; "
                f"up {size(run.bytes_up)}, down {size(run.bytes_down)}"
            )
    return [*lines, f"report: {out / 'report.html'}"]


def versions() -> dict[str, str]:
    """Name the versions of what computes."""
    found = {"python": platform.python_version()}
    for name in ("inkfleet", "ai-edge-litert", "numpy", "paho-mqtt", "opencv-python-headless", "safetensors"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Describe this machine."""
    return f"{platform.system()} on {platform.machine()}, {plural(os.cpu_count() or 1, 'core')}"


def _numbers(run: RunRecord) -> dict[str, Any]:
    last = run.last
    share = run.outside_training_share
    return {
        "accuracy": last.accuracy if last else None,
        "loss": last.loss if last else None,
        "rounds": last.round if last else 0,
        "devices": len(run.devices),
        "samples": sum(device.samples for device in run.devices),
        "wall_s": run.wall_s,
        "bytes_up": run.bytes_up,
        "bytes_down": run.bytes_down,
        "outside_training_share": round(share, 4) if share is not None else None,
        "weights_sha256": run.weights_sha256,
        **({"chaos": run.chaos.model_dump()} if run.chaos is not None else {}),
    }
