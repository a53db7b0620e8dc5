"""What a device takes that reads a camera and trains at the same time: its memory, its helpers' included."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import psutil

from deploy.brokers import start_broker
from shared.handwriting import generate
from shared.labels import label_set
from tests.reading_scenes import draw_scene

ROUNDS = 2
SAMPLES = 600
FRAMES = 50
_DEADLINE_S = 240.0


def device_memory() -> dict[str, Any]:
    """Run a device with its page on a looped video, and rounds of training through a real broker.

    Returns:
        The greatest memory of the device's processes together while it read and trained, in MiB: proportional (pages
        that several processes share count once) and resident; and how many rounds it took part in.
    """
    with tempfile.TemporaryDirectory() as name, start_broker("auto", folder=Path(name) / "broker") as broker:
        folder = Path(name)
        generate(label_set("algebra"), writers=2, samples_per_writer=SAMPLES // 2, seed=3).save(folder / "samples.npz")
        _film(folder / "film.avi")
        url = f"mqtt://127.0.0.1:{broker.address.port}"
        shared = ["--broker", url, "--fleet", "bench"]
        aggregator = _start(["aggregator", *shared, "--labels", "algebra", "--rounds", str(ROUNDS),
                             "--min-devices", "1", "--folder", f"{name}/aggregator", "--json"])  # fmt: skip
        device = _start(["device", *shared, "--name", "bench", "--folder", f"{name}/device", "--page-port", "0",
                         "--data", f"{name}/samples.npz", "--source", f"{name}/film.avi", "--json"])  # fmt: skip
        events: list[dict[str, Any]] = []
        listener = threading.Thread(target=_listen, args=(device, events), daemon=True)
        listener.start()
        most_pss = most_rss = 0.0
        begun = time.monotonic()
        while aggregator.poll() is None and time.monotonic() - begun < _DEADLINE_S:
            pss, rss = _memory_mib(device.pid)
            most_pss, most_rss = max(most_pss, pss), max(most_rss, rss)
            time.sleep(0.1)
        device.terminate()
        device.wait(30)
        listener.join(10)
        aggregator.kill()
        aggregator.wait(10)
    kinds = [event["event"] for event in events]
    return {
        "proportional_mib": round(most_pss),
        "resident_mib": round(most_rss),
        "events": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    }


def _film(path: Path) -> None:
    """Film an equation that moves a little."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (1280, 720))
    for number in range(FRAMES):
        writer.write(draw_scene("3x+7=22", seed=2, turn_deg=0.05 * number, light="gradient").picture)
    writer.release()


def _start(words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deploy", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _listen(process: subprocess.Popen[str], events: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    events.extend(json.loads(line) for line in process.stdout)


def _memory_mib(pid: int) -> tuple[float, float]:
    pss = rss = 0.0
    try:
        tree = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0.0, 0.0
    for process in tree:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            continue
        pss += memory.pss / (1 << 20)
        rss += memory.rss / (1 << 20)
    return pss, rss


if __name__ == "__main__":
    print(json.dumps(device_memory(), indent=2))  # noqa: T201
