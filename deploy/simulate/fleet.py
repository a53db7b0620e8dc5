"""One run: an aggregator and the devices of one partition, as processes, from the first round to the last."""

from __future__ import annotations

import json
import logging
import os
import queue
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.brokers import RunningBroker
from deploy.chaos.account import Account
from deploy.simulate.disk import DiskWatch
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.interrupt import Interrupt
from deploy.simulate.launch import aggregator_arguments, device_children, worker_count
from deploy.simulate.plan import FleetPlan
from deploy.simulate.processes import Child, Processes
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.stores import fill_stores
from deploy.simulate.watch import Watch
from shared.errors import BrokerError, InkfleetError

_log = logging.getLogger(__name__)

Event = dict[str, Any]
"""What the aggregator says on its stdout, one JSON object a line."""

AGGREGATOR = "aggregator"
"""What its process is called."""

BROKER_LOST_S = 20.0
"""A broker of the user's that was gone for so long is taken for dead."""

_TICK_S = 0.1


class Fleet:
    """One run. `run` returns when the last round is evaluated, or when a person asked for the end.

    Args:
        settings: of the simulation.
        plan: the devices and what they hold.
        folder: where the run keeps its things.
        broker: through which it goes.
        test: the file with the test set.
        source: where the samples came from, for the stores.
        on_event: told what the aggregator says, on the caller's thread.
        on_tick: told several times a second what each device does.
        interrupt: whether a person asked for the end.
        disk: the disk that the folder is on.
    """

    def __init__(
        self,
        settings: SimulationSettings,
        plan: FleetPlan,
        *,
        folder: FleetFolder,
        broker: RunningBroker,
        test: Path,
        source: str,
        on_event: Callable[[Event], None],
        on_tick: Callable[[dict[str, str]], None],
        interrupt: Interrupt,
        disk: DiskWatch,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._folder = folder
        self._broker = broker
        self._test = test
        self._source = source
        self._on_event = on_event
        self._on_tick = on_tick
        self._interrupt = interrupt
        self._disk = disk
        # A name nobody else has: the broker may be one that others use.
        self._fleet = f"simulation-{secrets.token_hex(6)}"
        self._events: queue.SimpleQueue[tuple[Child, Event | None]] = queue.SimpleQueue()

    def run(self) -> bool:
        """Run to the end; return whether it was reached, or False if a person asked for an earlier one.

        Raises:
            InkfleetError: what ended the aggregator, a device or the broker, as the error its exit code stands for.
        """
        fill_stores(
            self._folder.devices, self._plan.devices, source=self._source, stopped=lambda: self._interrupt.asked
        )
        watch = Watch(self._broker.address, fleet=self._fleet)
        watch.start()
        try:
            with Processes(self._folder.logs, environment=self._secrets()) as processes:
                self._interrupt.harder = processes.kill
                self._start_aggregator(processes)
                self._start_devices(processes)
                try:
                    reached = self._follow(processes, watch)
                finally:
                    self._before_the_end()
                processes.stop()
            return reached
        finally:
            self._leave(watch)

    def account(self) -> Account | None:
        """Return the account of what was done to the run; None where nothing was."""
        return None

    def _leave(self, watch: Watch) -> None:
        """Leave a broker that is not ours as it was found."""
        try:
            if self._broker.kind == "external" and not watch.lost_for_s():
                watch.forget_fleet(device.name for device in self._plan.devices)
        except InkfleetError as error:
            _log.warning("the broker keeps messages of fleet %s: %s", self._fleet, error)
        finally:
            watch.stop()

    def _follow(self, processes: Processes, watch: Watch) -> bool:
        finished = False
        while not self._interrupt.asked:
            self._on_tick(watch.activities())
            self._each_turn()
            try:
                aggregator, event = self._events.get(timeout=_TICK_S)
            except queue.Empty:
                self._check(processes, watch)
                continue
            if event is None:
                aggregator.process.wait()
                if self._ended_on_purpose(aggregator):
                    continue
                if aggregator.process.returncode or not finished:
                    raise aggregator.failure()
                return True
            finished = finished or event.get("event") == "finished"
            self._on_event(event)
        return False

    def _each_turn(self) -> None:
        """Called several times a second; a fleet that is left alone does nothing."""

    def _ended_on_purpose(self, child: Child) -> bool:
        """Whether a process that ended is to be passed over: nobody ends one on purpose, unless."""
        return False

    def _before_the_end(self) -> None:
        """Called when the run is over, however it ended, before its processes are ended."""

    def _check(self, processes: Processes, watch: Watch) -> None:
        """Raise if something has ended that the run needs."""
        self._disk.check()
        if self._broker.pid is not None and (code := self._broker.wait(0)) is not None:
            raise BrokerError(f"the {self._broker.kind} broker ended (exit {code}); its log is {self._broker.log}")
        if self._broker.pid is None and watch.lost_for_s() > BROKER_LOST_S:
            raise BrokerError(
                f"broker {self._broker.address} was gone for {BROKER_LOST_S:g} s: {watch.said or 'no answer'}"
            )
        ended = [child for child in processes.ended() if child.name != AGGREGATOR and not self._ended_on_purpose(child)]
        aggregator_lives = all(child.name != AGGREGATOR for child in processes.ended())
        if ended and aggregator_lives and not self._can_spare(ended):
            raise ended[0].failure()

    def _can_spare(self, ended: list[Child]) -> bool:
        """Whether the rounds can still have their quorum: only a run with a quorum of its own goes on without some."""
        shared = worker_count(self._settings.workers, devices=len(self._plan.devices), cores=os.cpu_count() or 1)
        if not self._settings.quorum or shared:
            return False
        return len(self._plan.devices) - len(ended) >= self._settings.quorum

    def _start_aggregator(self, processes: Processes) -> Child:
        child = processes.start(AGGREGATOR, self._aggregator_call(), output=True)
        threading.Thread(target=self._read, args=(child,), name="aggregator-events", daemon=True).start()
        return child

    def _aggregator_call(self) -> list[str]:
        return aggregator_arguments(self._settings, self._plan, folder=self._folder, fleet=self._fleet, test=self._test)

    def _start_devices(self, processes: Processes) -> list[Child]:
        children: list[Child] = []
        for name, arguments in device_children(self._settings, self._plan, folder=self._folder, fleet=self._fleet):
            if self._interrupt.asked:
                break
            children.append(processes.start(name, arguments))
        return children

    def _secrets(self) -> dict[str, str]:
        """The broker's address may hold a password: it goes by the environment, which no other user can see."""
        url = self._settings.broker if self._broker.kind == "external" else str(self._broker.address)
        insecure = str(self._settings.insecure)
        return {
            "INKFLEET_AGGREGATOR_BROKER": url,
            "INKFLEET_DEVICE_BROKER": url,
            "INKFLEET_AGGREGATOR_INSECURE": insecure,
            "INKFLEET_DEVICE_INSECURE": insecure,
        }

    def _read(self, aggregator: Child) -> None:
        assert aggregator.stdout is not None
        try:
            for line in aggregator.stdout:
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    self._events.put((aggregator, event))
        except (OSError, ValueError):
            pass  # closed here, because the run was ended
        finally:
            self._events.put((aggregator, None))
