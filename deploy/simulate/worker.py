"""A process that hosts many devices: each a real MQTT client with a folder of its own, all with one trainer.

Their training is one after the other; everything else goes on side by side. What they compute is what they would
compute in processes of their own.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from deploy.simulate.worker_plan import WorkerPlan
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer


def main(arguments: Sequence[str]) -> None:
    """Host the devices of a plan, whose path is the argument, until SIGTERM."""
    plan = WorkerPlan.model_validate_json(Path(arguments[0]).read_bytes())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    host(plan, ending)


def host(plan: WorkerPlan, ending: threading.Event) -> None:
    """Run the devices until ``ending`` is set."""
    trainer = Trainer(threads=1)
    devices = [Device(DeviceSettings.load(given=one, environ=os.environ), trainer=trainer) for one in plan.devices]
    started: list[Device] = []
    try:
        for device in devices:
            if ending.is_set():
                break
            device.start()
            started.append(device)
        ending.wait()
    finally:
        # Each waits for the broker to take its farewell: all of them at once.
        threads = [threading.Thread(target=device.stop, daemon=True) for device in started]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        trainer.close()
