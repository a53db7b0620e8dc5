"""How long a killed aggregator's round stands still: from the start of the process to the round going on."""

from __future__ import annotations

import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from deploy.brokers import start_broker
from edge_client.trainer import Trainer
from shared.topics import Topics
from tests.broker_fixtures import Ear
from tests.faults.process_fleet import NAMES, Fleet
from tflite_models.bundle import builtin_bundle

KILLS = 5
TEST_SAMPLES = 2000


def recoveries(broker_folder: Path) -> list[dict[str, float]]:
    """Kill an aggregator amid an upload, several times, and start it again.

    Returns:
        For each time the seconds from starting the process to being connected, to the round's manifest being published
        again, and to the first update having its verdict; the seconds of processor time until then, for a machine that
        has other things to do; and the seconds of starting Python alone.
    """
    trainer = Trainer()
    measured = []
    with start_broker("auto", folder=broker_folder) as broker:
        for _ in range(KILLS):
            name = f"bench-{secrets.token_hex(4)}"
            with tempfile.TemporaryDirectory() as folder:
                fleet = Fleet(
                    broker=broker,
                    fleet=name,
                    folder=Path(folder),
                    trainer=trainer,
                    model=builtin_bundle("arithmetic"),
                    test_samples=TEST_SAMPLES,
                )
                fleet.devices(*NAMES)
                fleet.aggregator_process(crash_at="chunk arrived:8").expect_crash()
                ear = Ear(broker.address).up(Topics(name).round)
                ear.next()  # the manifest that the broker has kept
                began = time.perf_counter()
                resumed = fleet.aggregator_process(resume=True)
                resumed.until("listening")
                connected = time.perf_counter() - began
                ear.next()
                published = time.perf_counter() - began
                resumed.until("update", verdict="accepted")
                taken = time.perf_counter() - began
                used = psutil.Process(resumed.process.pid).cpu_times()
                ear.link.stop()
                fleet.stop()
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            bare = time.perf_counter() - began
            measured.append(
                {
                    "connected": connected,
                    "published": published,
                    "update_taken": taken,
                    "cpu": used.user + used.system,
                    "bare": bare,
                }
            )
    trainer.close()
    return measured


def main() -> None:
    """Print the medians as one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        measured = recoveries(Path(folder))
    median = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
    figures = {f"start_to_{key}_s": round(median[key], 2) for key in ("connected", "published", "update_taken")}
    figures["start_to_published_over_bare_python"] = round(median["published"] / median["bare"], 1)
    figures["start_to_update_taken_cpu_s"] = round(median["cpu"], 2)
    figures["slowest_update_taken_s"] = round(max(one["update_taken"] for one in measured), 2)
    print(json.dumps(figures, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
