"""The loop's side of a run: what the engine is told, and how each effect that it asks for is carried out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aggregator.acceptance import Bounds, Refusal
from aggregator.checkpoints import Checkpoints
from aggregator.engine import (
    Aggregate,
    Aggregated,
    Commit,
    Committed,
    Counted,
    DeviceGone,
    Effect,
    Evaluate,
    Event,
    Excused,
    Fail,
    Finish,
    PublishRound,
    Refused,
    RoundEngine,
    Started,
    Tick,
    UpdateAccepted,
    Wait,
)
from aggregator.evaluation import Evaluator
from aggregator.events import EventLog
from aggregator.ledger import RoundLedger
from aggregator.patience import Patience
from aggregator.receiver import Arrived
from aggregator.reception import Reception, rejected
from aggregator.round_notice import RoundNotice
from aggregator.run import Run, shapes_of
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from aggregator.spool import Spool
from aggregator.standing import Standing
from aggregator.store import Store
from aggregator.workbench import Averaged, Broke, Examined, Garbled, Outcome, Workbench, Written
from shared.crash_points import reach
from shared.errors import RunError
from shared.files import write_bytes
from shared.messages import BlobRef, ModelRef, Score, UpdateManifest
from shared.mqtt import Message
from shared.rising_numbers import RisingNumbers
from shared.signing import Check
from tflite_models.bundle import ModelBundle

# A wait is told again after so many seconds.
_SAY_WAIT_EVERY_S = 15.0
# How soon it is seen that the roster has changed, or that somebody's credentials have expired.
_ROSTER_EVERY_S = 2.0


@dataclass(frozen=True)
class Parts:
    """What a coordinator works with; each is made and ended by the service."""

    store: Store
    checkpoints: Checkpoints
    spool: Spool
    workbench: Workbench
    sender: Sender
    evaluator: Evaluator | None
    log: EventLog
    sequence: RisingNumbers
    check: Check
    patience: Patience


class Coordinator:
    """Runs a run. All its methods are called on the loop's thread.

    Args:
        settings: of the aggregator.
        model: that the fleet trains.
        run: which run, and where it stands.
        parts: to work with.
        bounds: what an update may be.
        chunk_bytes: the size of chunks that the broker takes now, in bytes.
        clock: seconds, never running backwards.
        wall_clock: Unix time in seconds, for people and other machines.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        model: ModelBundle,
        run: Run,
        parts: Parts,
        bounds: Bounds,
        chunk_bytes: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._model = model
        self._run = run.run
        self._parts = parts
        self._chunk_bytes = chunk_bytes
        self._clock = clock
        self._wall_clock = wall_clock
        self._shapes = shapes_of(model)
        self._engine = RoundEngine(settings.run_plan(), resume=run.resume)
        self._reception = Reception(
            settings,
            run=run.run,
            labels=model.manifest.label_set_object(),
            bounds=bounds,
            store=parts.store,
            sender=parts.sender,
            log=parts.log,
            clock=clock,
            check=parts.check,
        )
        self._reception.rest(run.resume.rests)
        self._notice = RoundNotice(
            settings,
            run=run.run,
            sender=parts.sender,
            sequence=parts.sequence,
            patience=parts.patience,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._base, self._base_data, self._base_sha256 = run.weights, run.data, run.sha256
        self._next: Averaged | None = None
        self._committed = run.resume.committed
        self._ledger: RoundLedger | None = None
        self._ledger_round = 0
        self._wait: Wait | None = None
        self._wait_said = ("", float("-inf"))
        self._roster_at = clock()
        self._unmeasured: list[int] = []
        self._last_score: Score | None = None
        self.finished_at: float | None = None
        """When the last round was committed, on the clock; None while the run goes on."""

    # -- the service asks ---------------------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """How many rounds are committed."""
        return self._committed

    @property
    def collecting(self) -> bool:
        """Whether updates are waited for."""
        return self._engine.view.phase == "collecting"

    @property
    def weights_sha256(self) -> str:
        """Of the last committed weights."""
        return self._base_sha256

    @property
    def last_score(self) -> Score | None:
        """The last evaluation of this run, if there was one."""
        return self._last_score

    def standing(self) -> Standing:
        """Return how the run stands, for whoever looks on."""
        wait, registry = self._wait, self._reception.registry
        return Standing(
            run=self._run,
            round=self._engine.view,
            committed=self._committed,
            weights_sha256=self._base_sha256,
            wait=wait,
            left_s=wait.until - self._clock() if wait else float("inf"),
            devices=registry.all(),
            rests=registry.all_rests(),
        )

    @property
    def wake_at(self) -> float:
        """When `tick` is to be called at the latest, on the clock."""
        wait_until = self._wait.until if self._wait else float("inf")
        return min(wait_until, self._reception.wake_at, self._notice.repeat_at, self._roster_at)

    @property
    def done(self) -> bool:
        """Whether the run is complete: all rounds are measured, whoever asked for the last weights was sent them."""
        if self.finished_at is None or self._unmeasured:
            return False
        now = self._clock()
        if not self._reception.online or now - self.finished_at >= self._settings.linger_s:
            return True
        quiet_since = max(self.finished_at, self._reception.last_want_at)
        return self._parts.sender.idle and now - quiet_since >= min(0.5, self._settings.linger_s)

    def start(self) -> None:
        """Take the run up where it stands."""
        for round_number in self._parts.store.unmeasured(self._run):
            self._measure(round_number)
        self._tell(Started())

    def tick(self) -> None:
        """Time has passed."""
        if self._clock() >= self._roster_at:
            self._roster_at = self._clock() + _ROSTER_EVERY_S
            for expelled in self._reception.expel(view=self._engine.view):
                self._tell(expelled)
        view = self._engine.view
        if view.phase == "collecting" and self._wait is not None and self._clock() >= self._wait.until:
            # Whoever was invited and never said a word in all that time is not there: the next attempt goes without.
            for device in self._reception.unheard(view.invited):
                self._tell(DeviceGone(device))
        self._tell(Tick())
        self._reception.ask_quiet()
        self._notice.repeat()

    def link_up(self) -> None:
        """The broker is there (again): say what it may have forgotten, and ask for what it may have lost."""
        self._notice.say_again()
        self._reception.ask_all()

    def message(self, message: Message) -> None:
        """Take in a message of a device; one that breaks the protocol is passed over.

        Raises:
            StorageError: what follows from it cannot be kept.
            RunError: the run cannot go on.
        """
        taken = self._reception.message(message, view=self._engine.view, base_sha256=self._base_sha256)
        if isinstance(taken, Arrived):
            self._parts.workbench.examine(taken, base=self._base, shapes=self._shapes)
        else:
            for event in taken:
                self._tell(event)

    # -- outcomes of slow work ----------------------------------------------------------------------------------------

    def outcome(self, outcome: Outcome) -> None:
        """Take in what the workbench did.

        Raises:
            Exception: what broke there.
        """
        if isinstance(outcome, Examined):
            manifest = outcome.manifest
            refusal = outcome.refusal or self._reception.belongs(outcome.device)
            if refusal is not None:
                self._refuse(outcome.device, manifest, refusal)
                return
            event = UpdateAccepted(manifest.round, outcome.device, manifest.blob.sha256, manifest.samples)
            self._tell(event, manifest=manifest)
        elif isinstance(outcome, Garbled):
            refusal = self._reception.garbled(outcome.device, outcome.manifest, outcome.reason, view=self._engine.view)
            if refusal is not None:
                attempt = self._engine.view.attempt
                self._tell(rejected(outcome.device, outcome.manifest, refusal, attempt=attempt))
        elif isinstance(outcome, Averaged):
            self._next = outcome
            self._tell(Aggregated(outcome.round, outcome.sha256))
        elif isinstance(outcome, Written):
            self._record_commit(outcome.round)
            self._tell(Committed(outcome.round))
        elif isinstance(outcome, Broke):
            raise outcome.error

    def score(self, round_number: int, score: Score | Exception) -> None:
        """Take in a round's evaluation: its line of metrics is complete.

        Raises:
            Exception: what kept the round from its score.
        """
        if isinstance(score, Exception):
            raise score
        self._last_score = score
        self._say_round(round_number, score)

    def _say_round(self, round_number: int, score: Score | None) -> None:
        committed = self._parts.store.committed(self._run, round_number)
        assert committed is not None
        line: dict[str, Any] = {
            "event": "round",
            "run": self._run,
            "partition": self._settings.partition,
            "round": round_number,
            "accuracy": None if score is None else score.accuracy,
            "loss": None if score is None else score.loss,
            **committed.cost,
        }
        self._parts.store.add_metrics(self._run, round_number, line)
        self._unmeasured.remove(round_number)
        self._parts.log.say(**line)
        self._clear_checkpoints()
        self._say_finished()

    def _refuse(self, device: str, manifest: UpdateManifest, refusal: Refusal) -> None:
        self._reception.refuse(device, manifest, refusal, view=self._engine.view)
        if refusal.verdict == "rejected":
            # Its device will not send another for this attempt.
            self._tell(rejected(device, manifest, refusal, attempt=self._engine.view.attempt))

    # -- effects ------------------------------------------------------------------------------------------------------

    def _tell(self, event: Event, *, manifest: UpdateManifest | None = None) -> None:
        """Tell the engine, and do what it asks for; ``manifest`` belongs to an update that may come to count."""
        for effect in self._engine.handle(event, now=self._clock()):
            self._carry_out(effect, manifest)

    def _carry_out(self, effect: Effect, manifest: UpdateManifest | None) -> None:
        parts = self._parts
        if isinstance(effect, Wait):
            self._wait = effect
            self._say_wait(effect)
        elif isinstance(effect, Counted):
            assert manifest is not None
            device = effect.contribution.device
            parts.store.add_contribution(self._run, effect.round, effect.contribution, manifest=manifest)
            reach("update durable")
            self._reception.accept(device, manifest, received=effect.received, of=effect.of)
        elif isinstance(effect, Refused):
            assert manifest is not None
            refusal = Refusal(effect.verdict, effect.reason)
            self._reception.refuse(effect.device, manifest, refusal, view=self._engine.view)
        elif isinstance(effect, Excused):
            parts.log.say(
                "declined", round=effect.round, attempt=effect.attempt, device=effect.device, reason=effect.reason
            )
        elif isinstance(effect, PublishRound):
            self._publish(effect)
        elif isinstance(effect, Aggregate):
            parts.store.close_round(self._run, effect.round, rests=effect.rests)
            reach("round closed")
            parts.log.say("closed", round=effect.round, participants=len(effect.contributions))
            self._reception.round_closed(view=self._engine.view)
            self._reception.rest(effect.rests)
            for rest in effect.rests:
                if rest.round == effect.round < rest.until:
                    parts.log.say(
                        "rested", device=rest.device, failures=rest.failures, until=rest.until, reason=rest.reason
                    )
            parts.workbench.average(effect.round, effect.contributions, base=self._base)
        elif isinstance(effect, Commit):
            assert self._next is not None
            parts.workbench.write(effect.round, self._next.data)
        elif isinstance(effect, Evaluate):
            self._measure(effect.round)
        elif isinstance(effect, Finish):
            self._finish(effect)
        elif isinstance(effect, Fail):
            raise RunError(effect.reason)

    def _publish(self, effect: PublishRound) -> None:
        if effect.phase == "open":
            now, wall = self._clock(), self._wall_clock()
            self._parts.store.open_round(self._run, effect, now_unix_s=wall)
            reach("round recorded")
            self._reception.round_opened(effect.round)
            if self._ledger is None or self._ledger_round != effect.round:
                self._ledger = RoundLedger(
                    started=now,
                    started_unix_s=wall,
                    received_bytes=self._reception.received_bytes,
                    delivered_bytes=self._parts.sender.delivered_bytes,
                )
                self._ledger_round = effect.round
        blobs = self._blobs(self._chunk_bytes())
        manifest, program, reader, weights = (ref for ref, _ in blobs)
        online = self._reception.online
        audience = online if effect.phase == "finished" else set(effect.invited) & set(online)
        self._parts.sender.offer(blobs, audience=audience)
        name = self._model.manifest.name[:200]
        said_bytes = self._notice.publish(
            effect,
            model=ModelRef(name=name, manifest=manifest, program=program, reader=reader),
            weights=weights,
        )
        if self._ledger is not None:
            self._ledger.manifest_bytes_down += said_bytes * len(online)
        if effect.phase == "open":
            self._parts.log.say(
                "opened",
                run=self._run,
                round=effect.round,
                rounds=self._settings.rounds,
                attempt=effect.attempt,
                invited=list(effect.invited),
                quorum=effect.quorum,
            )

    def _blobs(self, chunk_bytes: int) -> list[tuple[BlobRef, bytes]]:
        """The model's manifest, its two programs and the weights, as they are offered; hashes are known already."""
        model = self._model
        parts = (
            (model.sha256, model.manifest_bytes),
            (model.manifest.program.sha256, model.program),
            (model.manifest.reader.sha256, model.reader),
            (self._base_sha256, self._base_data),
        )
        return [(BlobRef(sha256=sha256, size_bytes=len(data), chunk_bytes=chunk_bytes), data) for sha256, data in parts]

    def _record_commit(self, round_number: int) -> None:
        """The weights are on the disk: record them, and make them those of the next round."""
        done, store = self._next, self._parts.store
        assert done is not None
        manifests = list(store.contributions(self._run, round_number).values())
        now = self._clock()
        # After a restart between closing and committing, the round was never opened by this process.
        ledger = self._ledger or RoundLedger(
            started=now, started_unix_s=self._wall_clock(), received_bytes=0, delivered_bytes=0
        )
        cost = ledger.close(
            now=now,
            received_bytes=self._reception.received_bytes,
            delivered_bytes=self._parts.sender.delivered_bytes,
            manifests=manifests,
            weights_sha256=done.sha256,
        )
        cost["aggregation"] = done.measurements.as_json()
        store.commit_round(self._run, round_number, weights_sha256=done.sha256, cost=cost)
        reach("round committed")
        self._committed = round_number
        self._base, self._base_data, self._base_sha256 = done.weights, done.data, done.sha256
        self._next = self._ledger = None
        self._parts.spool.keep_only((), round_number=round_number)

    def _measure(self, round_number: int) -> None:
        self._unmeasured.append(round_number)
        if self._parts.evaluator is None:
            self._say_round(round_number, None)
        else:
            self._parts.evaluator.submit(round_number, self._parts.checkpoints.path(round_number))

    def _clear_checkpoints(self) -> None:
        newest = self._committed
        kept = set(range(newest - self._settings.keep_checkpoints + 1, newest + 1)) | set(self._unmeasured)
        # The next round's may be there already.
        self._parts.checkpoints.keep_only(kept | {newest + 1})

    def _finish(self, effect: Finish) -> None:
        weights = self._settings.folder / "weights.safetensors"
        self._parts.patience.insist(lambda: write_bytes(weights, self._base_data))
        reach("last weights written")
        self._parts.store.finish_run(self._run, now_unix_s=self._wall_clock())
        self.finished_at = self._clock()
        self._say_finished()

    def _say_finished(self) -> None:
        """Tell that the run is complete; after the last line of metrics."""
        if self.finished_at is None or self._unmeasured:
            return
        self._parts.log.say(
            "finished",
            run=self._run,
            rounds=self._settings.rounds,
            weights_sha256=self._base_sha256,
            weights=str(self._settings.folder / "weights.safetensors"),
        )

    def _say_wait(self, wait: Wait) -> None:
        view, now = self._engine.view, self._clock()
        kind = f"{view.phase} {view.round} {view.attempt}"
        said, at = self._wait_said
        if view.phase in ("gathering", "collecting") and (kind != said or now - at >= _SAY_WAIT_EVERY_S):
            # A round that just opened says so itself.
            if view.phase == "gathering" or kind == said:
                self._parts.log.say("waiting", reason=wait.reason, left_s=round(max(0.0, wait.until - now), 1))
            self._wait_said = (kind, now)
