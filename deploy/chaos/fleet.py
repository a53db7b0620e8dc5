"""A simulated fleet to which faults are done while it runs."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from deploy.chaos.account import Account
from deploy.chaos.broker import MortalBroker
from deploy.chaos.conductor import AGGREGATOR, Conductor
from deploy.chaos.line import Line
from deploy.chaos.proxy import Proxy
from deploy.chaos.reckoning import draw_up
from deploy.chaos.restarts import Restarts
from deploy.chaos.schedule import Fault, draw_schedule
from deploy.chaos.witness import Seen, read_record
from deploy.simulate.child import WORKER
from deploy.simulate.fleet import Event, Fleet
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.launch import aggregator_arguments, shared_devices
from deploy.simulate.plan import FleetPlan
from deploy.simulate.processes import Child, Processes
from deploy.simulate.progress import Progress
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.worker_plan import WorkerPlan
from shared.errors import BrokerError
from shared.json_lines import read_json_lines

_PROXY_STREAM = 1
"""The stream of the seed that decides which packets a bad line touches."""

_MOST_RESTARTS = 10
"""An aggregator that finds no broker when it starts is started again, as a service would be; so often in a row."""


class TroubledFleet(Fleet):
    """A `Fleet` whose processes reach the broker through lines that can be made bad, and which may be killed.

    The arguments are those of `Fleet`; the settings have ``chaos``, and the broker is one that can be killed. ``stage``
    methods are those of `deploy.chaos.conductor.Stage`.
    """

    def __init__(
        self,
        settings: SimulationSettings,
        plan: FleetPlan,
        *,
        folder: FleetFolder,
        broker: MortalBroker,
        on_event: Callable[[Event], None],
        on_fault: Callable[[str], None] = lambda line: None,
        **others: Any,
    ) -> None:
        def heard(event: Event) -> None:
            self._progress.take(event, now=time.monotonic())
            if event.get("event") == "listening":
                self._restarts.at_work()
            on_event(event)

        super().__init__(settings, plan, folder=folder, broker=broker, on_event=heard, **others)
        assert settings.chaos is not None
        self._seed = settings.chaos
        self._mortal = broker
        self._say_fault = on_fault
        self._progress = Progress(plan.partition, settings.rounds, tuple(device.name for device in plan.devices))
        self._lines: dict[str, Proxy] = {}
        self._workers: dict[str, list[str]] = {}
        self._children: dict[str, Child] = {}
        self._gone: set[str] = set()
        self._processes: Processes
        self._conductor: Conductor
        self._restarts = Restarts(most=_MOST_RESTARTS, clock=time.monotonic)

    def run(self) -> bool:
        """See `Fleet.run`; whatever was done is undone at the end."""
        faults = self._settings.chaos_faults or 2 * self._settings.rounds
        schedule = draw_schedule(self._seed, faults=faults, broker_remembers=self._mortal.remembers)
        self._conductor = Conductor(schedule, stage=self, clock=time.monotonic, on_fault=self._note)
        self._conductor.skip_to(self._share_done())
        with ExitStack() as stack:
            for number, name in enumerate((AGGREGATOR, *self._plan_workers())):
                rng = np.random.default_rng([self._seed, _PROXY_STREAM, number])
                self._lines[name] = stack.enter_context(Proxy(self._broker.address, rng=rng))
            self._save_workers()
            return super().run()

    def account(self) -> Account:
        """Draw up the account of the run so far, over all its sessions."""
        faults: Counter[str] = Counter()
        for fault in read_json_lines(_fault_log(self._folder)):
            faults[str(fault["kind"])] += 1
        settings = self._settings
        mean = settings.is_plain_mean
        weigh = (float if settings.weighting == "samples" else lambda samples: 1.0) if mean else None
        return draw_up(self._folder.aggregator, seen=self._seen(), faults=faults, weigh=weigh)

    def _seen(self) -> Iterator[Seen]:
        for device in self._plan.devices:
            yield from read_record(witness_file(self._folder, device.name))

    # -- the stage ----------------------------------------------------------------------------------------------------

    def devices(self) -> tuple[str, ...]:
        return tuple(self._workers)

    def kill(self, name: str) -> None:
        self._gone.add(name)
        self._processes.kill_one(self._children[name])

    def start(self, name: str) -> None:
        self._gone.discard(name)
        if name == AGGREGATOR:
            self._start_aggregator(self._processes)
        else:
            self._children[name] = self._processes.start(name, self._workers[name])

    def pause(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def unpause(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def set_line(self, name: str, line: Line) -> None:
        self._lines[name].set(line)

    def cut_line(self, name: str, *, reset: bool) -> None:
        self._lines[name].cut(reset=reset)

    def freeze_line(self, name: str) -> None:
        self._lines[name].freeze()

    def kill_broker(self) -> None:
        self._mortal.kill()

    def revive_broker(self, *, remembering: bool) -> None:
        self._mortal.revive(remembering=remembering)

    # -- in place of the calm fleet's ---------------------------------------------------------------------------------

    def _aggregator_call(self) -> list[str]:
        settings = self._settings
        call = aggregator_arguments(settings, self._plan, folder=self._folder, fleet=self._fleet, test=self._test)
        # Every round's weights are kept: the account looks at them.
        return [*call, "--broker", str(self._lines[AGGREGATOR].address), "--keep-checkpoints", str(settings.rounds + 1)]

    def _start_aggregator(self, processes: Processes) -> Child:
        self._processes = processes
        child = self._children[AGGREGATOR] = super()._start_aggregator(processes)
        return child

    def _start_devices(self, processes: Processes) -> list[Child]:
        for name, call in self._workers.items():
            self._children[name] = processes.start(name, call)
        return [self._children[name] for name in self._workers]

    def _each_turn(self) -> None:
        if self._progress.closed >= self._settings.rounds:
            self._conductor.heal()
        else:
            self._conductor.tick(self._progress.share())

    def _ended_on_purpose(self, child: Child) -> bool:
        if child.name in self._gone or child is not self._children[child.name]:
            return True
        absent = child.name == AGGREGATOR and child.process.returncode == BrokerError.exit_code
        if absent and self._restarts.again():
            self.start(AGGREGATOR)
            return True
        return False

    def _before_the_end(self) -> None:
        self._conductor.heal()

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self._children[name].process
        if process.poll() is None:
            os.kill(process.pid, number)

    def _note(self, fault: Fault, name: str) -> None:
        with _fault_log(self._folder).open("a") as file:
            line = {"at": round(fault.at, 4), "kind": fault.kind, "on": name, "lasts_s": round(fault.lasts_s, 2)}
            file.write(json.dumps(line) + "\n")
        where = "" if fault.on in ("broker", AGGREGATOR) else f" ({name})"
        lasts = f", {fault.lasts_s:.1f} s" if fault.lasts_s else ""
        self._say_fault(f"fault in round {max(1, self._progress.round)}: {fault.kind}{where}{lasts}")

    def _share_done(self) -> float:
        """How far an earlier session came."""
        return self._folder.committed_rounds() / self._settings.rounds

    def _plan_workers(self) -> list[str]:
        return [name for name, _ in shared_devices(self._settings, self._plan, folder=self._folder, fleet=self._fleet)]

    def _save_workers(self) -> None:
        records = self._folder.path / "witness"
        for name, devices in shared_devices(self._settings, self._plan, folder=self._folder, fleet=self._fleet):
            broker = str(self._lines[name].address)
            file = self._folder.path / f"{name}.json"
            WorkerPlan(devices=tuple(one | {"broker": broker} for one in devices), witness=str(records)).save(file)
            self._workers[name] = [WORKER, str(file)]


def witness_file(folder: FleetFolder, device: str) -> Path:
    """Where what a device saw is written down."""
    return folder.path / "witness" / f"{device}.jsonl"


def _fault_log(folder: FleetFolder) -> Path:
    return folder.path / "faults.jsonl"
