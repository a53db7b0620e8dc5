"""What a fleet on one machine costs: time outside local training, memory of a device, time until it is connected."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from deploy.brokers import start_broker
from shared.handwriting import generate
from shared.labels import label_set

DEVICES = 10
ROUNDS = 5
STARTS = 5


def outside_training() -> tuple[float, float]:
    """Run a fleet of ten devices on this machine.

    Returns:
        The median share of a round in which no device trains, and the greatest resident memory of a device, in MiB.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        words = ["simulate", "--devices", str(DEVICES), "--rounds", str(ROUNDS), "--out", str(out), "--json"]
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        peak = 0.0
        while process.poll() is None:
            peak = max([peak, *_device_memory_mib(process.pid)])
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"the simulation ended with exit code {process.returncode}")
        rounds = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    # In the first round every device opens its model and its store.
    shares = [line["outside_training_s"] / line["wall_s"] for line in rounds[1:]]
    return statistics.median(shares), peak


def _device_memory_mib(parent: int) -> list[float]:
    sizes = []
    for child in psutil.Process(parent).children(recursive=True):
        try:
            if "device" in child.cmdline():
                sizes.append(child.memory_info().rss / (1 << 20))
        except psutil.Error:
            continue
    return sizes


def start_to_connected() -> tuple[float, float]:
    """Start a device that has samples already, several times.

    Returns:
        Median seconds from starting the process to being connected, and median seconds of starting Python alone.
    """
    with tempfile.TemporaryDirectory() as folder, start_broker("auto", folder=Path(folder) / "broker") as broker:
        data = Path(folder) / "samples.npz"
        generate(label_set("arithmetic"), writers=1, samples_per_writer=300, seed=1).save(data)
        words = ["device", "--json", "--name", "bench", "--broker", f"mqtt://127.0.0.1:{broker.address.port}"]
        words += ["--folder", f"{folder}/device", "--data", str(data)]
        connected, bare = [], []
        for _ in range(STARTS + 1):
            began = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-m", "deploy", *words], stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            for line in process.stdout:
                if json.loads(line)["event"] == "connected":
                    connected.append(time.perf_counter() - began)
                    break
            process.terminate()
            process.communicate(timeout=30)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            bare.append(time.perf_counter() - began)
    return statistics.median(connected[1:]), statistics.median(bare[1:])


def main() -> None:
    """Print the figures as one JSON object."""
    share, memory = outside_training()
    connected, bare = start_to_connected()
    figures = {
        "devices": DEVICES,
        "outside_training_share": round(share, 3),
        "device_memory_mib": round(memory),
        "start_to_connected_s": round(connected, 2),
        "start_to_connected_over_bare_python": round(connected / bare, 1),
    }
    print(json.dumps(figures, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
