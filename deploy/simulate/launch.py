"""How the processes of a run are called: folders, arguments, and which devices share a process."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

from aggregator.settings import AggregatorSettings
from deploy.simulate.child import WORKER
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.plan import FleetPlan
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.worker_plan import WorkerPlan

OWN_PROCESS_UP_TO = 16
"""So many devices have a process each; more share some."""

WAIT_S = 180.0
"""How long the aggregator waits for the devices before the first round."""

_SPARING = {"threads": "1", "adopt": "false", "cache_mib": "4"}
"""Nobody reads with a simulated device: it keeps no weights for that, and little of what it fetched."""

_SAID_OTHERWISE = frozenset({"broker", "insecure", "model", "page", "partition", "test_data", "weights"})

PASSED_ON = tuple(
    name
    for name in SimulationSettings.model_fields
    if name in AggregatorSettings.model_fields and name not in _SAID_OTHERWISE
)
"""The settings that an aggregator has under the same names, and is given as they are."""


def aggregator_arguments(
    settings: SimulationSettings, plan: FleetPlan, *, folder: FleetFolder, fleet: str, test: Path
) -> list[str]:
    """Return how the aggregator is called; it goes on where it was if the folder holds a run."""
    arguments = ["aggregator", "--json", "--fleet", fleet, "--folder", str(folder.aggregator)]
    arguments += ["--test-data", str(test), "--partition", plan.partition]
    arguments += ["--min-devices", str(len(plan.devices)), "--wait-s", str(WAIT_S), "--linger-s", "0"]
    for name in PASSED_ON:
        arguments += ["--" + name.replace("_", "-"), str(getattr(settings, name))]
    for name in ("model", "weights"):
        if (path := getattr(settings, name)) is not None:
            arguments += [f"--{name}", str(path)]
    if settings.page:
        arguments.append("--page")
    return [*arguments, "--resume"] if folder.begun() else arguments


def device_children(
    settings: SimulationSettings, plan: FleetPlan, *, folder: FleetFolder, fleet: str
) -> Iterator[tuple[str, list[str]]]:
    """Name each process that hosts devices, with how it is called."""
    devices = [
        {"name": device.name, "fleet": fleet, "folder": str(folder.devices / device.name)} | _SPARING
        for device in plan.devices
    ]
    workers = worker_count(settings.workers, devices=len(devices), cores=os.cpu_count() or 1)
    if not workers:
        for one in devices:
            if one["name"] in plan.attackers:
                yield _worker(one["name"], (one,), settings, plan, folder=folder)
            else:
                yield one["name"], ["device", *_options(one)]
        return
    for number in range(workers):
        yield _worker(f"worker-{number + 1}", tuple(devices[number::workers]), settings, plan, folder=folder)


def _worker(
    name: str,
    devices: tuple[dict[str, str], ...],
    settings: SimulationSettings,
    plan: FleetPlan,
    *,
    folder: FleetFolder,
) -> tuple[str, list[str]]:
    """Write what a worker hosts. Whoever attacks is always in one: the command ``device`` has no such option."""
    file = folder.path / f"{name}.json"
    attackers = tuple(sorted(plan.attackers & {one["name"] for one in devices}))
    WorkerPlan(devices=devices, attack=settings.attack, attackers=attackers).save(file)
    return name, [WORKER, str(file)]


def shared_devices(
    settings: SimulationSettings, plan: FleetPlan, *, folder: FleetFolder, fleet: str
) -> Iterator[tuple[str, tuple[dict[str, str], ...]]]:
    """Name the workers that host all devices, also where each has one of its own, with the settings of each device."""
    devices = [
        {"name": device.name, "fleet": fleet, "folder": str(folder.devices / device.name)} | _SPARING
        for device in plan.devices
    ]
    workers = worker_count(settings.workers, devices=len(devices), cores=os.cpu_count() or 1) or len(devices)
    for number in range(workers):
        yield f"worker-{number + 1}", tuple(devices[number::workers])


def _options(settings: dict[str, str]) -> Iterator[str]:
    for name, value in settings.items():
        option = name.replace("_", "-")
        if value == "false":
            yield f"--no-{option}"
        else:
            yield from (f"--{option}", value)


def worker_count(setting: int, *, devices: int, cores: int) -> int:
    """Choose how many processes the devices share; 0 if each has one of its own.

    Twice as many as there are cores, unless set: the devices that are drawn for a round are spread over them unevenly,
    and a core would idle while another works off a long queue.
    """
    if setting >= devices or (setting == 0 and devices <= OWN_PROCESS_UP_TO):
        return 0
    return setting or min(2 * cores, math.ceil(devices / 2))
