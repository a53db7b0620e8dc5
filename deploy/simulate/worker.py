"""A process that hosts many devices: each a real MQTT client with a folder of its own, all with one trainer.

Their training is one after the other; everything else goes on side by side. What they compute is what they would
compute in processes of their own.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.simulate.attack import parse_attack
from deploy.simulate.hostile_trainer import HostileTrainer
from deploy.simulate.worker_plan import WorkerPlan
from edge_client.device_folder import DeviceFolder
from edge_client.service import Device, Event
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
    honest = Trainer(threads=1)
    hostile = HostileTrainer(parse_attack(plan.attack), threads=1) if plan.attackers else honest
    devices = [
        Device(
            DeviceSettings.load(given=one, environ=os.environ),
            trainer=hostile if one["name"] in plan.attackers else honest,
            on_event=_witness(plan, one),
        )
        for one in plan.devices
    ]
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
        for trainer in {honest, hostile}:
            trainer.close()


def _witness(plan: WorkerPlan, device: dict[str, str]) -> Callable[[Event], None]:
    """Return what a device is to tell what happens: nobody, unless somebody keeps a record."""
    if not plan.witness:
        return lambda event: None
    from deploy.chaos.witness import Witness

    name = device["name"]
    outbox = DeviceFolder(Path(device["folder"])).outbox
    witness = Witness(Path(plan.witness) / f"{name}.jsonl", device=name, outbox=outbox)
    witness.open()
    return witness
