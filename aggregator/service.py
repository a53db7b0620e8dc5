"""An aggregator: one loop, and the threads that must not wait for it."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aggregator.acceptance import Bounds
from aggregator.aggregation import aggregation_for
from aggregator.awake_clock import AwakeClock
from aggregator.broadcast import Broadcast
from aggregator.checkpoints import Checkpoints
from aggregator.coordinator import Coordinator, Parts
from aggregator.evaluation import Evaluator
from aggregator.events import Event, EventLog, rewrite_metrics
from aggregator.inbox import Inbox
from aggregator.patience import Patience
from aggregator.recovery import Recovered, RunCard, fault, recover
from aggregator.run import Run, begin, new_run_name, resume, shapes_of
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from aggregator.spool import Spool
from aggregator.standing import Lookout
from aggregator.store import DATABASE, DamagedError, Store
from aggregator.workbench import Broke, Outcome, Workbench
from shared.dataset import Dataset
from shared.errors import BrokerError, ProtocolError, StorageError
from shared.files import remove_unfinished
from shared.folder_lock import FolderLock
from shared.messages import Score, ServerState, decode
from shared.mqtt import Message, MqttLink, OutboxBounds, Silence, Will
from shared.rising_numbers import RisingNumbers
from shared.signing import Credentials
from shared.tensors import MAX_HEADER_BYTES
from shared.topics import Topics, check_name
from shared.transfer import chunk_bytes_for
from tflite_models.bundle import ModelBundle

# How soon the loop notices that it is to stop.
_STOP_LATENCY_S = 0.1
# What may wait for the loop, of all devices and of one, see `Inbox`.
_INBOX_BYTES = 256 * 1024 * 1024
_LANE_BYTES = 16 * 1024 * 1024
# Whoever holds the broker may announce aggregators without end: the log is told of so many.
_MOST_RIVALS = 100
# Small, so that a control message never waits behind more than this of a broadcast.
_OUTBOX = OutboxBounds(messages=64, size_bytes=1024 * 1024)


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


@dataclass(frozen=True)
class _LinkUp:
    session: int


@dataclass(frozen=True)
class _LinkDown:
    reason: str


@dataclass(frozen=True)
class _Scored:
    round: int
    score: Score | Exception


@dataclass(frozen=True)
class _Said:
    kind: str
    fields: dict[str, Any]


_Item = Message | Outcome | _LinkUp | _LinkDown | _Scored | _Said


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
        self._wall_clock = wall_clock
        self._topics = Topics(settings.fleet)
        self._inbox: Inbox[_Item] = Inbox(most_bytes=_INBOX_BYTES, lane_bytes=_LANE_BYTES, crowded=self._crowded)
        self._session = 0
        # Our own, and those of rivals that were told of.
        self._sessions: set[int] = set()
        self._rivals = 0
        # What is said on the workbench's thread is told on the loop's.
        self._workbench_patience = Patience(
            say=lambda kind, **fields: self._inbox.put(_Said(kind, fields)), stop=threading.Event()
        )

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
            evaluator = None
            if self._test is not None:
                evaluator = Evaluator(
                    self._model,
                    test=self._test if callable(self._test) else partial(_given, self._test),
                    on_score=lambda number, score: self._inbox.put(_Scored(number, score)),
                )
                stack.callback(evaluator.stop)
                if settings.resume:
                    evaluator.load_beside()
                else:
                    evaluator.load()
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
            link = self._connect(stack, stop)
            if link is None:
                return self._never_began()
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
                patience=self._workbench_patience,
            )
            stack.callback(workbench.stop)
            stack.callback(self._workbench_patience.give_up)
            sender = Sender(
                link,
                topics=self._topics,
                broadcast=Broadcast(gather_s=settings.gather_ms / 1000),
                clock=self._clock,
                on_failure=lambda error: self._inbox.put(Broke(error)),
                seal=self._credentials.seal,
            )
            sender.start()
            stack.callback(self._say_goodbye, link, sender)
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
            self._loop(coordinator, link=link, sender=sender, log=log, run=run, stop=stop)
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

    def _never_began(self) -> RunSummary:
        return RunSummary("", 0, False, "", self._settings.folder / "weights.safetensors", None)

    # -- the link -----------------------------------------------------------------------------------------------------

    def _connect(self, stack: contextlib.ExitStack, stop: threading.Event) -> MqttLink | None:
        """Reach the broker within the time there is for it; None if we are to stop before.

        Raises:
            BrokerError: it is absent or refuses us.
        """
        settings = self._settings
        link = MqttLink(
            settings.broker_address(),
            client_id=f"{check_name(settings.fleet, what='fleet')}-aggregator-{time.time_ns() % 10**9}",
            on_message=self._on_message,
            on_connect=lambda: self._inbox.put(_LinkUp(self._session)),
            on_disconnect=lambda reason: self._inbox.put(_LinkDown(reason)),
            will=self._will,
            bounds=_OUTBOX,
        )
        link.subscribe(self._topics.device_states(), self._topics.server_state, qos=0)
        link.subscribe(*self._topics.from_devices())
        link.start()
        stack.callback(link.stop)
        give_up_at = time.monotonic() + settings.connect_s
        while not stop.is_set():
            slice_s = min(0.25, max(0.01, give_up_at - time.monotonic()))
            began = time.monotonic()
            try:
                link.wait_connected(slice_s)
            except BrokerError:
                # A refusal comes before the time is up.
                refused = time.monotonic() - began < 0.9 * slice_s
                if refused or time.monotonic() >= give_up_at:
                    raise
                continue
            if link.flush(10.0) and link.refused_filters:
                raise BrokerError(
                    f"broker {link.address} does not let us subscribe to {min(link.refused_filters)}; "
                    "look at its access control list"
                )
            return link
        return None

    def _will(self) -> Will:
        """A new connection has a new session number, so that the death of the old one is told apart."""
        self._session = max(self._session + 1, int(self._wall_clock() * 1000))
        self._sessions.add(self._session)
        topic = self._topics.server_state
        state = ServerState(online=False, session=self._session).encode()
        return Will(topic, self._credentials.seal.sign(topic, state))

    def _say_goodbye(self, link: MqttLink, sender: Sender) -> None:
        state = ServerState(online=False, session=self._session)
        sender.control(self._topics.server_state, state.encode(), retain=True)
        sender.stop(timeout_s=2.0)
        if link.connected:
            link.flush(2.0)

    def _on_message(self, message: Message) -> None:
        """On the network thread: leave the message for the loop, unless too much is there already.

        Only presence is retained by right. What a device has the broker keep of anything else comes again at every
        subscription; the access list cannot forbid it (Mosquitto's knows topics, not flags).
        """
        if message.retain and not message.topic.endswith("/state"):
            return
        # fl/v1/FLEET/device/NAME/…; the aggregator's own state has a lane as well.
        self._inbox.hear(message, device="/".join(message.topic.split("/", 5)[3:5]))

    def _crowded(self, lane: str) -> None:
        """On the network thread: one device sends more than is worked off."""
        device = lane.removeprefix("device/")[:64]
        reason = f"device {device!r} sends more than can be looked at; its surplus is passed over from here on"
        self._inbox.put(_Said("dropped", {"reason": reason, "count": 1}))

    def _look_for_rival(self, message: Message, log: EventLog) -> None:
        """Two aggregators of one fleet would overwrite each other's rounds: a person is to know."""
        with contextlib.suppress(ProtocolError):
            state = decode(ServerState, message.payload, topic=message.topic)
            if state.online and state.session not in self._sessions and self._rivals < _MOST_RIVALS:
                self._sessions.add(state.session)
                self._rivals += 1
                log.say("rival", fleet=self._settings.fleet, session=state.session)

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _loop(
        self,
        coordinator: Coordinator,
        *,
        link: MqttLink,
        sender: Sender,
        log: EventLog,
        run: Run,
        stop: threading.Event,
    ) -> None:
        started = blocked = False
        silence = Silence()
        while not stop.is_set() and not coordinator.done:
            if coordinator.finished_at is not None:
                # What is left is to serve the last weights, and no broker is waited for with that.
                self._clock.release()
            self._lookout.answer(coordinator.standing)
            timeout_s = _STOP_LATENCY_S
            if not blocked:
                timeout_s = min(max(coordinator.wake_at - self._clock(), 0.0), timeout_s)
            try:
                item = self._inbox.get(timeout=timeout_s)
            except queue.Empty:
                if not coordinator.collecting:
                    silence.heard(self._clock())
                elif link.connected and silence.over(self._clock()):
                    link.reconnect("no device has said anything for a while; connecting anew")
                if started and not blocked and self._clock() >= coordinator.wake_at:
                    coordinator.tick()
                continue
            if isinstance(item, Message):
                if not item.retain:
                    silence.heard(self._clock())
                if item.topic == self._topics.server_state:
                    self._look_for_rival(item, log)
                else:
                    coordinator.message(item)
            elif isinstance(item, _LinkUp):
                self._clock.release()
                state = ServerState(online=True, session=item.session)
                sender.control(self._topics.server_state, state.encode(), retain=True)
                if not started:
                    started = True
                    log.say("listening", run=run.run, fleet=self._settings.fleet, round=run.resume.committed + 1)
                    coordinator.start()
                else:
                    log.say("broker", connected=True, reason="")
                    coordinator.link_up()
            elif isinstance(item, _LinkDown):
                self._clock.hold()
                log.say("broker", connected=False, reason=item.reason)
            elif isinstance(item, _Scored):
                coordinator.score(item.round, item.score)
            elif isinstance(item, _Said):
                # An update that came in time and finds no room on the disk must not miss the deadline by that.
                blocked = item.kind == "blocked" or (blocked and item.kind != "unblocked")
                log.say(item.kind, **item.fields)
            else:
                coordinator.outcome(item)
            if started and not blocked and self._clock() >= coordinator.wake_at:
                coordinator.tick()


def _given(test: Dataset) -> Dataset:
    return test
