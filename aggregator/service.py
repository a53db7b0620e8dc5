"""An aggregator: one loop, and the threads that must not wait for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aggregator.acceptance import Bounds
from aggregator.aggregation import aggregation_for
from aggregator.awake_clock import AwakeClock
from aggregator.broadcast import Broadcast
from aggregator.checkpoints import Checkpoints
from aggregator.coordinator import Coordinator
from aggregator.evaluation import Evaluator
from aggregator.events import Event, EventLog, rewrite_metrics
from aggregator.fleet_link import FleetLink
from aggregator.loop import Loop
from aggregator.news import Said, Scored
from aggregator.parts import Parts
from aggregator.patience import Patience
from aggregator.recovery import Recovered, RunCard, fault, recover
from aggregator.run import Run, begin, new_run_name, resume, shapes_of
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from aggregator.spool import Spool
from aggregator.standing import Lookout
from aggregator.store import DATABASE, DamagedError, Store
from aggregator.workbench import Broke, Workbench
from shared.dataset import Dataset
from shared.errors import StorageError
from shared.files import remove_unfinished
from shared.folder_lock import FolderLock
from shared.messages import Score
from shared.mqtt import MqttLink
from shared.rising_numbers import RisingNumbers
from shared.signing import Credentials
from shared.tensors import MAX_HEADER_BYTES
from shared.topics import Topics
from shared.transfer import chunk_bytes_for
from tflite_models.bundle import ModelBundle


@dataclass(frozen=True)
class RunSummary:
    """How a run stands when the aggregator ends.

    Attributes:
        rounds: how many are committed.
        finished: whether that is all of them; if not, the run can be resumed.
        weights_sha256: of the last committed weights.
        weights: their file.
        score: the last evaluation of this process, if there was one.
    """

    run: str
    rounds: int
    finished: bool
    weights_sha256: str
    weights: Path
    score: Score | None


class Aggregator:
    """Serves a fleet for one run.

    The network thread only puts messages on the loop's queue. The loop decides; it never waits for the broker (the
    sender does), nor for the bytes of an update or an average (the workbench does), nor for an evaluation.

    Args:
        settings: of the aggregator.
        model: that the fleet trains.
        test: loads what every round's weights are tested on; None for no test.
        on_event: told each event, on the loop's thread; see `aggregator.events`.
        clock: seconds, never running backwards. Deadlines go by it alone, but for time in which nothing ran here, see
            `AwakeClock`.
        wall_clock: Unix time in seconds.
        credentials: sign what the aggregator says, and check what it is told; without them neither happens.
        lookout: for those who look on while it runs.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        model: ModelBundle,
        test: Dataset | Callable[[], Dataset] | None,
        on_event: Callable[[Event], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        credentials: Credentials | None = None,
        lookout: Lookout | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials or Credentials()
        self._lookout = lookout or Lookout()
        self._model = model
        self._test = test
        self._on_event = on_event
        self._clock = AwakeClock(clock)
        # What is sent waits for nothing that the deadlines wait for.
        self._sending_clock = clock
        self._wall_clock = wall_clock
        self._fleet = FleetLink(settings, seal=self._credentials.seal, wall_clock=wall_clock)
        self._inbox = self._fleet.inbox

    def run(self, stop: threading.Event) -> RunSummary:
        """Run all rounds, or until ``stop`` is set. The calling thread is the loop.

        Everything that counts is on the disk at any moment: a run that was stopped, or killed, is resumed.

        Raises:
            RunError: too few devices or updates, the folder is in use, or the run cannot be begun or resumed.
            BrokerError: the broker cannot be reached at the start, or refuses us.
            DataError: the test data has no sample of the model's labels.
            ModelError: the weights to start from are of another model.
            StorageError: the disk is full, or a file cannot be read or written.
            SettingsError: the fleet's name or the broker's address cannot be.
        """
        settings = self._settings
        with contextlib.ExitStack() as stack:
            stack.enter_context(FolderLock(settings.folder, holder="aggregator"))
            evaluator = self._open_evaluator(stack)
            log = EventLog(settings.folder, listener=self._on_event)
            patience = Patience(say=log.say, stop=stop)
            checkpoints = Checkpoints(settings.folder / "checkpoints")
            spool = Spool(settings.folder / "spool")
            remove_unfinished(settings.folder, settings.folder / "checkpoints")
            recovered = self._recover(checkpoints)
            store = stack.enter_context(Store(settings.folder / DATABASE, patience=patience))
            rewrite_metrics(settings.folder, store.metrics())
            stack.enter_context(log)
            if recovered is not None:
                log.say("recovered", run=recovered.run, round=recovered.round, reason=recovered.reason)
            link = self._fleet.connect(stack, stop)
            if link is None:
                return RunSummary("", 0, False, "", settings.folder / "weights.safetensors", None)
            run = self._begin(store, checkpoints)
            open_round = run.resume.open
            spool.keep_only(
                open_round.contributions if open_round else (), round_number=open_round.round if open_round else 0
            )
            bounds = Bounds(
                max_bytes=len(run.data) + MAX_HEADER_BYTES,
                max_samples=settings.max_samples,
                samples_slack=settings.samples_slack,
                max_norm_l2=settings.max_update_norm,
            )
            workbench = self._open_workbench(stack, spool=spool, checkpoints=checkpoints, bounds=bounds)
            sender = self._open_sender(stack, link)
            coordinator = Coordinator(
                settings,
                model=self._model,
                run=run,
                parts=Parts(
                    store,
                    checkpoints,
                    spool,
                    workbench,
                    sender,
                    evaluator,
                    log,
                    sequence=RisingNumbers(settings.folder / "sequence", clock=self._wall_clock),
                    check=self._credentials.check,
                    patience=patience,
                ),
                bounds=bounds,
                chunk_bytes=lambda: chunk_bytes_for(settings.chunk_bytes, link.max_packet_bytes),
                clock=self._clock,
                wall_clock=self._wall_clock,
            )
            Loop(
                settings,
                coordinator=coordinator,
                run=run,
                fleet=self._fleet,
                link=link,
                sender=sender,
                log=log,
                clock=self._clock,
                lookout=self._lookout,
            ).run(stop)
            finished = coordinator.finished_at is not None
            return RunSummary(
                run=run.run,
                rounds=coordinator.committed,
                finished=finished,
                weights_sha256=coordinator.weights_sha256,
                weights=(
                    settings.folder / "weights.safetensors" if finished else checkpoints.path(coordinator.committed)
                ),
                score=coordinator.last_score,
            )

    def _open_evaluator(self, stack: contextlib.ExitStack) -> Evaluator | None:
        """Load the test data, if there are any.

        Raises:
            DataError: they have no sample of the model's labels.
        """
        if self._test is None:
            return None
        evaluator = Evaluator(
            self._model,
            test=self._test if callable(self._test) else partial(_given, self._test),
            on_score=lambda number, score: self._inbox.put(Scored(number, score)),
        )
        stack.callback(evaluator.stop)
        if self._settings.resume:
            evaluator.load_beside()
        else:
            evaluator.load()
        return evaluator

    def _open_workbench(
        self, stack: contextlib.ExitStack, *, spool: Spool, checkpoints: Checkpoints, bounds: Bounds
    ) -> Workbench:
        settings = self._settings
        # What is said on the workbench's thread is told on the loop's.
        patience = Patience(say=lambda kind, **fields: self._inbox.put(Said(kind, fields)), stop=threading.Event())
        workbench = Workbench(
            spool=spool,
            checkpoints=checkpoints,
            aggregation=aggregation_for(
                weighting=settings.weighting,
                sample_cap=settings.sample_cap,
                rule=settings.aggregation,
                byzantine=settings.byzantine,
                clip_update_norm=settings.clip_update_norm,
                clip_to_median=settings.clip_to_median,
            ),
            bounds=bounds,
            post=self._inbox.put,
            patience=patience,
        )
        stack.callback(workbench.stop)
        stack.callback(patience.give_up)
        return workbench

    def _open_sender(self, stack: contextlib.ExitStack, link: MqttLink) -> Sender:
        sender = Sender(
            link,
            topics=Topics(self._settings.fleet),
            broadcast=Broadcast(gather_s=self._settings.gather_ms / 1000),
            clock=self._sending_clock,
            on_failure=lambda error: self._inbox.put(Broke(error)),
            seal=self._credentials.seal,
        )
        sender.start()
        stack.callback(self._fleet.say_goodbye, link, sender)
        return sender

    def _recover(self, checkpoints: Checkpoints) -> Recovered | None:
        """Look at the database; where it cannot be trusted, a run that is resumed goes on from its last checkpoint.

        Raises:
            StorageError: it cannot be trusted, and the run is not resumed, or has nothing to go on from.
        """
        settings, database = self._settings, self._settings.folder / DATABASE
        try:
            with Store(database) as store:
                card = RunCard.read(settings.folder)
                contradiction = fault(store, checkpoints, card=card) if settings.resume else ""
            wrong = f"the database {database} does not fit its weights: {contradiction}" if contradiction else ""
        except DamagedError as error:
            wrong = str(error)
        if not wrong:
            return None
        if not settings.resume:
            raise StorageError(f"{wrong}; add --resume to go on from the last checkpoint, or take another --folder")
        now_unix_s = self._wall_clock()
        return recover(
            settings.folder,
            database,
            checkpoints=checkpoints,
            shapes=shapes_of(self._model),
            wrong=wrong,
            stamp=time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_unix_s)),
            name=new_run_name(now_unix_s),
            now_unix_s=now_unix_s,
        )

    def _begin(self, store: Store, checkpoints: Checkpoints) -> Run:
        if self._settings.resume:
            return resume(self._settings, model=self._model, store=store, checkpoints=checkpoints)
        return begin(
            self._settings, model=self._model, store=store, checkpoints=checkpoints, now_unix_s=self._wall_clock()
        )


def _given(test: Dataset) -> Dataset:
    return test
