"""The loop's side of a run: what the engine is told, and who carries out what it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable

from aggregator.acceptance import Bounds, Refusal
from aggregator.engine import Aggregated, Committed, DeviceGone, Event, RoundEngine, Started, Tick, UpdateAccepted
from aggregator.executor import Executor
from aggregator.parts import Parts
from aggregator.receiver import Arrived
from aggregator.reception import Reception, rejected
from aggregator.round_notice import RoundNotice
from aggregator.run import Run, shapes_of
from aggregator.settings import AggregatorSettings
from aggregator.standing import Standing
from aggregator.workbench import Averaged, Broke, Examined, Garbled, Outcome, Written
from shared.messages import Score, UpdateManifest
from shared.mqtt import Message
from tflite_models.bundle import ModelBundle

# How soon it is seen that the roster has changed, or that somebody's credentials have expired.
_ROSTER_EVERY_S = 2.0
# So long after the last want nobody else asks for the last weights: a small device that is busy has to have time to.
_LAST_WANT_S = 2.0


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
        self._linger_s = settings.linger_s
        self._run = run.run
        self._parts = parts
        self._clock = clock
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
        self._executor = Executor(
            settings,
            model=model,
            run=run,
            parts=parts,
            reception=self._reception,
            notice=self._notice,
            chunk_bytes=chunk_bytes,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._roster_at = clock()

    # -- the service asks ---------------------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """How many rounds are committed."""
        return self._executor.committed

    @property
    def finished_at(self) -> float | None:
        """When the last round was committed, on the clock; None while the run goes on."""
        return self._executor.finished_at

    @property
    def collecting(self) -> bool:
        """Whether updates are waited for."""
        return self._engine.view.phase == "collecting"

    @property
    def weights_sha256(self) -> str:
        """Of the last committed weights."""
        return self._executor.base_sha256

    @property
    def last_score(self) -> Score | None:
        """The last evaluation of this run, if there was one."""
        return self._executor.last_score

    def standing(self) -> Standing:
        """Return how the run stands, for whoever looks on."""
        wait, registry = self._executor.wait, self._reception.registry
        return Standing(
            run=self._run,
            round=self._engine.view,
            committed=self.committed,
            weights_sha256=self.weights_sha256,
            wait=wait,
            left_s=wait.until - self._clock() if wait else float("inf"),
            devices=registry.all(),
            rests=registry.all_rests(),
        )

    @property
    def wake_at(self) -> float:
        """When `tick` is to be called at the latest, on the clock."""
        wait = self._executor.wait
        wait_until = wait.until if wait else float("inf")
        return min(wait_until, self._reception.wake_at, self._notice.repeat_at, self._roster_at)

    @property
    def done(self) -> bool:
        """Whether the run is complete: all rounds are measured, whoever asked for the last weights was sent them."""
        finished_at = self.finished_at
        if finished_at is None or not self._executor.complete:
            return False
        now = self._clock()
        if not self._reception.online or now - finished_at >= self._linger_s:
            return True
        quiet_since = max(finished_at, self._reception.last_want_at)
        return self._parts.sender.idle and now - quiet_since >= min(_LAST_WANT_S, self._linger_s)

    def start(self) -> None:
        """Take the run up where it stands."""
        for round_number in self._parts.store.unmeasured(self._run):
            self._executor.measure(round_number)
        self._tell(Started())

    def tick(self) -> None:
        """Time has passed."""
        if self._clock() >= self._roster_at:
            self._roster_at = self._clock() + _ROSTER_EVERY_S
            for expelled in self._reception.expel(view=self._engine.view):
                self._tell(expelled)
        view, wait, now = self._engine.view, self._executor.wait, self._clock()
        if view.phase == "collecting" and wait is not None and now >= wait.until:
            # Whoever was invited and never said a word in all that time is not there: the next attempt goes without.
            for device in self._reception.unheard(view.invited):
                self._tell(DeviceGone(device), now=now)
        # By the same look at the clock: a deadline that passes just now is one for the next time.
        self._tell(Tick(), now=now)
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
        taken = self._reception.message(message, view=self._engine.view, base_sha256=self.weights_sha256)
        if isinstance(taken, Arrived):
            self._parts.workbench.examine(taken, base=self._executor.base, shapes=self._shapes)
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
            self._executor.averaged(outcome)
            self._tell(Aggregated(outcome.round, outcome.sha256))
        elif isinstance(outcome, Written):
            self._executor.written(outcome.round)
            self._tell(Committed(outcome.round))
        elif isinstance(outcome, Broke):
            raise outcome.error

    def score(self, round_number: int, score: Score | Exception) -> None:
        """Take in a round's evaluation: its line of metrics is complete.

        Raises:
            Exception: what kept the round from its score.
        """
        self._executor.score(round_number, score)

    def _refuse(self, device: str, manifest: UpdateManifest, refusal: Refusal) -> None:
        self._reception.refuse(device, manifest, refusal, view=self._engine.view)
        if refusal.verdict == "rejected":
            # Its device will not send another for this attempt.
            self._tell(rejected(device, manifest, refusal, attempt=self._engine.view.attempt))

    # -- the engine ---------------------------------------------------------------------------------------------------

    def _tell(self, event: Event, *, manifest: UpdateManifest | None = None, now: float | None = None) -> None:
        """Tell the engine, and do what it asks for; ``manifest`` belongs to an update that may come to count."""
        for effect in self._engine.handle(event, now=self._clock() if now is None else now):
            self._executor.carry_out(effect, view=self._engine.view, manifest=manifest)
