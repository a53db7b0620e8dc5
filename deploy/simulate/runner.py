"""All the runs of a simulation, one after the other, and what they leave behind."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.brokers import RunningBroker, start_broker
from deploy.chaos.account import Account
from deploy.chaos.account import in_words as in_account
from deploy.chaos.broker import MortalBroker
from deploy.chaos.fleet import TroubledFleet
from deploy.report.record import RoundRecord, RunRecord, SimulationRecord
from deploy.report.wording import partition_name, plural
from deploy.report.write import add_metrics, write_metrics, write_report
from deploy.simulate.disk import DiskWatch, needed_bytes
from deploy.simulate.fleet import Event, Fleet
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.harvest import harvest
from deploy.simulate.interrupt import Interrupt, InterruptedRunError
from deploy.simulate.memory import keep_large_blocks_apart
from deploy.simulate.out_folder import WEIGHTS, OutFolder, Standing
from deploy.simulate.plan import FleetPlan, SimulationPlan, make_plan
from deploy.simulate.progress import Progress
from deploy.simulate.result import as_json, in_words, machine, versions
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.view import View
from shared.dataset import Dataset
from shared.errors import InkfleetError, RunError, StorageError
from shared.files import write_bytes
from tflite_models.bundle import ModelBundle

Clock = Callable[[], float]


def simulate(
    settings: SimulationSettings,
    *,
    console: Console,
    resume: bool = False,
    force: bool = False,
    clock: Clock = time.monotonic,
) -> dict[str, Any]:
    """Run a whole simulation; return its result as plain JSON values.

    Call it on the main thread. Whatever ends it, no process that it started is left.

    Args:
        settings: what to simulate.
        console: for people.
        resume: go on with the run that lies in the folder, if there is one.
        force: see `OutFolder`.
        clock: seconds, from any beginning.

    Raises:
        InkfleetError: a mistake of the user's, or what ended the run; finished rounds are kept and reported.
        InterruptedRunError: a person ended the run; the same holds.
        KeyboardInterrupt: a person wanted the end at once.
    """
    started = clock()
    keep_large_blocks_apart()
    plan = make_plan(settings, say=lambda line: console.print(line, style="bright_black", highlight=False))
    with Interrupt() as interrupt, OutFolder(settings.out, force=force) as out:
        simulation = Simulation(settings, plan, out=out, console=console, interrupt=interrupt, clock=clock)
        record = simulation.run(resume=resume)
        for run in record.runs:
            if run.chaos is not None:
                console.print(account_table(run.partition, run.chaos))
        for line in in_words(record, out=settings.out):
            console.print(line, highlight=False, soft_wrap=True)
        result = as_json(record, out=settings.out, wall_s=clock() - started)
        spoilt = [run.partition for run in record.runs if run.chaos is not None and not run.chaos.clean]
        if spoilt:
            raise RunError(
                f"contributions were lost or counted twice ({', '.join(spoilt)}); the account is in {settings.out}"
            )
        return result


class Simulation:
    """The runs of a simulation in one folder. Made by `simulate`."""

    def __init__(
        self,
        settings: SimulationSettings,
        plan: SimulationPlan,
        *,
        out: OutFolder,
        console: Console,
        interrupt: Interrupt,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._out = out
        self._console = console
        self._interrupt = interrupt
        self._clock = clock
        self._started = datetime.now().astimezone().isoformat(timespec="seconds")
        self._runs: dict[str, RunRecord] = {}
        self._said = 0
        """The last round of the run under way whose line this session wrote."""
        self._broker = ""
        self._weights_bytes = 4 * sum(math.prod(spec.shape) for spec in plan.bundle.manifest.parameters)
        self._disk = DiskWatch(out.path, margin_bytes=2 * self._weights_bytes)

    def run(self, *, resume: bool) -> SimulationRecord:
        """Run what is not finished; write the report, also of a part.

        Raises:
            InkfleetError: what ended it.
        """
        wanted = Standing(settings=self._settings.result_defining(), data_sha256=self._plan.data_sha256())
        self._disk.require(max(map(self._needed_bytes, self._plan.fleets)))
        standing = self._out.begin(wanted, resume=resume)
        problem: InkfleetError | None = None
        try:
            self._run_all(standing)
        except InkfleetError as error:
            problem = error
        except OSError as error:
            problem = StorageError(f"{error.filename or self._out.path}: {error.strerror or error}")
        try:
            record = self._record()
            if any(run.rounds for run in record.runs):
                self._write(record)
        except InkfleetError:
            if problem is None:
                raise
        if problem is not None or self._interrupt.asked:
            self._end_early(record, problem)
        self._out.drop_state()
        return record

    def _needed_bytes(self, fleet: FleetPlan) -> int:
        return needed_bytes(
            samples=sum(len(device.data) for device in fleet.devices),
            devices=len(fleet.devices),
            in_a_round=self._settings.trained_per_round,
            weights_bytes=self._weights_bytes,
        )

    def _run_all(self, standing: Standing) -> None:
        test = self._out.state / "test.npz"
        if not test.exists():
            self._plan.test.save(test)
        with self._start_broker() as broker:
            self._broker = f"{broker.kind} broker at {broker.address}"
            for fleet in self._plan.fleets:
                if not self._interrupt.asked:
                    self._run_one(fleet, broker, standing, test=test)

    def _start_broker(self) -> RunningBroker:
        folder = self._out.state / "broker"
        if self._settings.chaos is None:
            return start_broker(self._settings.broker, folder=folder)
        return MortalBroker(self._settings.broker, folder=folder)

    def _run_one(self, plan: FleetPlan, broker: RunningBroker, standing: Standing, *, test: Path) -> None:
        folder = self._out.fleet(plan)
        before_s = standing.elapsed_s.get(plan.partition, 0.0)
        self._runs[plan.partition] = harvest(
            plan, folder, wall_s=before_s, finished=plan.partition in standing.finished
        )
        if plan.partition in standing.finished:
            return
        progress = Progress(plan.partition, self._settings.rounds, tuple(device.name for device in plan.devices))
        for line in self._runs[plan.partition].rounds:
            progress.take({"event": "round", **line.model_dump()}, now=self._clock())
        view = View(progress, console=self._console, broker=self._broker, clock=self._clock)

        def on_event(event: Event) -> None:
            view.event(event)
            if event.get("event") == "round":
                self._add(plan, RoundRecord.model_validate(event))

        fleet = self._fleet(plan, folder, broker)(
            test=test,
            source="simulation",
            on_event=on_event,
            on_tick=view.tick,
            interrupt=self._interrupt,
            disk=self._disk,
        )
        began, reached, self._said = self._clock(), False, 0
        try:
            with view:
                reached = fleet.run()
        finally:
            elapsed_s = before_s + self._clock() - began
            standing.elapsed_s[plan.partition] = elapsed_s
            run = self._runs[plan.partition] = harvest(plan, folder, wall_s=elapsed_s, finished=reached)
            self._runs[plan.partition] = run.model_copy(update={"chaos": fleet.account()})
        if reached:
            standing.finished.append(plan.partition)
        self._out.keep(standing)

    def _fleet(self, plan: FleetPlan, folder: FleetFolder, broker: RunningBroker) -> Callable[..., Fleet]:
        """Return what makes the fleet: one that is left alone, or one that faults are done to."""
        if not isinstance(broker, MortalBroker):
            return partial(Fleet, self._settings, plan, folder=folder, broker=broker)
        say = partial(self._console.print, style="bright_black", highlight=False, soft_wrap=True)
        return partial(TroubledFleet, self._settings, plan, folder=folder, broker=broker, on_fault=say)

    def _add(self, plan: FleetPlan, line: RoundRecord) -> None:
        """Keep ``metrics.jsonl`` up to date while the run goes on, and nothing of it in memory."""
        run = self._runs[plan.partition]
        last = max(self._said, run.rounds[-1].round if run.rounds else 0)
        if line.round <= last:
            return  # an aggregator that was killed may say it again
        if self._said:
            add_metrics(line, self._out.path)
        else:
            self._out.claim()
            self._runs[plan.partition] = run.model_copy(update={"rounds": (*run.rounds, line)})
            write_metrics(self._record(), self._out.path)
        self._said = line.round

    def _record(self) -> SimulationRecord:
        return SimulationRecord(
            labels=self._plan.labels.labels,
            label_set=self._plan.labels.name,
            tested_on=self._plan.tested_on,
            test_samples=len(self._plan.test),
            rounds_planned=self._settings.rounds,
            per_round=self._settings.per_round,
            settings=self._settings.as_options(),
            command=self._settings.as_command(),
            versions=versions(),
            machine=machine(),
            broker=self._broker,
            started=self._started,
            notes=self._plan.notes,
            runs=tuple(self._runs[plan.partition] for plan in self._plan.fleets if plan.partition in self._runs),
        )

    def _write(self, record: SimulationRecord) -> None:
        """Write report and weights, of all runs that have some."""
        self._out.claim()
        graded = []
        for plan, run in zip(self._plan.fleets, record.runs, strict=False):
            weights = self._out.fleet(plan).weights()
            if weights is None:
                graded.append(run)
                continue
            confusion = confusion_of(self._plan.bundle, weights, self._plan.test, labels=self._plan.labels.encode)
            graded.append(run.model_copy(update={"confusion": confusion}))
            data = weights.read_bytes()
            if plan is self._plan.fleets[0]:
                write_bytes(self._out.path / WEIGHTS, data)
            if len(self._plan.fleets) > 1:
                write_bytes(self._out.path / f"weights-{plan.folder_name}.safetensors", data)
        write_report(record.model_copy(update={"runs": tuple(graded)}), self._out.path)

    def _end_early(self, record: SimulationRecord, problem: InkfleetError | None) -> None:
        """Raise what ended the simulation, and say what is kept."""
        done = sum(len(run.rounds) for run in record.runs)
        if not done:
            self._out.drop_state()
        kept = (
            f"{plural(done, 'finished round')} kept in {self._out.path}; the same command with --resume goes on"
            if done
            else "no round was finished"
        )
        if problem is None:
            raise InterruptedRunError(f"interrupted; {kept}")
        if done:
            raise type(problem)(f"{problem}; {kept} (logs: {self._out.state})")
        raise problem


def account_table(partition: str, account: Account) -> Table:
    """Show what was done to a run, and what became of its contributions."""
    table = Table(title=f"{partition_name(partition)}: what was done to it", title_justify="left")
    table.add_column("what")
    table.add_column("how often", justify="right")
    lines = in_account(account)
    for position, (name, number) in enumerate(lines):
        table.add_row(name, number, end_section=position == len(account.faults) - 1)
    return table


def confusion_of(
    bundle: ModelBundle, weights: Path, test: Dataset, *, labels: Callable[[Any], Any]
) -> tuple[tuple[int, ...], ...]:
    """Read the test set with final weights; return ``[true][predicted]`` counts."""
    from tflite_models.runtime.evaluation import evaluate
    from tflite_models.runtime.reader import FrozenReader
    from tflite_models.runtime.weights import load_weights

    reader = FrozenReader(bundle, weights=load_weights(weights, bundle.manifest))
    confusion = evaluate(reader, test.images, labels(test.labels.tolist())).confusion
    return tuple(tuple(int(n) for n in row) for row in confusion)
