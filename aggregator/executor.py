"""Carries out what the engine asks for: publishes, records, averages, commits, evaluates, ends."""

from __future__ import annotations

from collections.abc import Callable

from aggregator.acceptance import Refusal
from aggregator.bookkeeper import Bookkeeper
from aggregator.engine import (
    Aggregate,
    Commit,
    Counted,
    Effect,
    Evaluate,
    Excused,
    Fail,
    Finish,
    PublishRound,
    Refused,
    RoundView,
    Wait,
)
from aggregator.offer import offer
from aggregator.parts import Parts
from aggregator.reception import Reception
from aggregator.round_notice import RoundNotice
from aggregator.run import Run
from aggregator.scoring import Scoring
from aggregator.settings import AggregatorSettings
from aggregator.workbench import Averaged
from shared.crash_points import reach
from shared.errors import RunError
from shared.files import write_bytes
from shared.messages import Score, UpdateManifest
from shared.tensors import Tensors
from tflite_models.bundle import ModelBundle

# A wait is told again after so many seconds.
_SAY_WAIT_EVERY_S = 15.0


class Executor:
    """The engine's hands. It decides nothing, and knows of the round only what it is told; of the loop's thread.

    Args:
        settings: of the aggregator.
        model: that the fleet trains.
        run: which run, and where it stands.
        parts: to work with.
        reception: tells the devices.
        notice: says what the fleet is to do.
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
        reception: Reception,
        notice: RoundNotice,
        chunk_bytes: Callable[[], int],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._model = model
        self._run = run.run
        self._parts = parts
        self._reception = reception
        self._notice = notice
        self._chunk_bytes = chunk_bytes
        self._clock = clock
        self._wall_clock = wall_clock
        self._books = Bookkeeper(reception=reception, sender=parts.sender, clock=clock, wall_clock=wall_clock)
        self._scoring = Scoring(parts, run=run.run, partition=settings.partition)
        self._base, self._base_data, self._base_sha256 = run.weights, run.data, run.sha256
        self._next: Averaged | None = None
        self._committed = run.resume.committed
        self._wait: Wait | None = None
        self._wait_said = ("", float("-inf"))
        self._finished_at: float | None = None

    @property
    def committed(self) -> int:
        """How many rounds are committed."""
        return self._committed

    @property
    def base(self) -> Tensors:
        """The last committed weights, which the round under way starts from."""
        return self._base

    @property
    def base_sha256(self) -> str:
        """Of the last committed weights."""
        return self._base_sha256

    @property
    def last_score(self) -> Score | None:
        """The last evaluation of this run, if there was one."""
        return self._scoring.last

    @property
    def wait(self) -> Wait | None:
        """What is waited for, and until when; None if for nothing."""
        return self._wait

    @property
    def finished_at(self) -> float | None:
        """When the last round was committed, on the clock; None while the run goes on."""
        return self._finished_at

    @property
    def complete(self) -> bool:
        """Whether all rounds are committed and measured."""
        return self._finished_at is not None and not self._scoring.waiting

    def carry_out(self, effect: Effect, *, view: RoundView, manifest: UpdateManifest | None) -> None:
        """Do what the engine asks for.

        Args:
            effect: what is asked for.
            view: where the run stands now.
            manifest: of the update that the effect is about, if it is about one.

        Raises:
            RunError: the run cannot go on.
            StorageError: what follows from it cannot be kept.
        """
        parts = self._parts
        match effect:
            case Wait():
                self._wait = effect
                self._say_wait(effect, view=view)
            case Counted(number, contribution, received, of):
                assert manifest is not None
                parts.store.add_contribution(self._run, number, contribution, manifest=manifest)
                reach("update durable")
                self._reception.accept(contribution.device, manifest, received=received, of=of)
            case Refused():
                assert manifest is not None
                self._reception.refuse(effect.device, manifest, Refusal(effect.verdict, effect.reason), view=view)
            case Excused():
                parts.log.say(
                    "declined", round=effect.round, attempt=effect.attempt, device=effect.device, reason=effect.reason
                )
            case PublishRound():
                self._publish(effect)
            case Aggregate():
                self._close_round(effect, view=view)
            case Commit():
                assert self._next is not None
                parts.workbench.write(effect.round, self._next.data)
            case Evaluate():
                self.measure(effect.round)
            case Finish():
                self._finish()
            case Fail():
                raise RunError(effect.reason)

    def averaged(self, outcome: Averaged) -> None:
        """The workbench has the next weights."""
        self._next = outcome

    def written(self, round_number: int) -> None:
        """The next weights are on the disk: record them, and make them those of the next round."""
        done, store = self._next, self._parts.store
        assert done is not None
        manifests = list(store.contributions(self._run, round_number).values())
        cost = self._books.close(manifests, weights_sha256=done.sha256)
        cost["aggregation"] = done.measurements.as_json()
        store.commit_round(self._run, round_number, weights_sha256=done.sha256, cost=cost)
        reach("round committed")
        self._committed = round_number
        self._base, self._base_data, self._base_sha256 = done.weights, done.data, done.sha256
        self._next = None
        self._parts.spool.keep_only((), round_number=round_number)

    def measure(self, round_number: int) -> None:
        """Have a committed round tested."""
        if self._scoring.submit(round_number):
            self._round_measured()

    def score(self, round_number: int, score: Score | Exception) -> None:
        """Take in a round's evaluation, see `Scoring.take`."""
        self._scoring.take(round_number, score)
        self._round_measured()

    def _publish(self, effect: PublishRound) -> None:
        opens = effect.phase == "open"
        if opens:
            now, wall = self._clock(), self._wall_clock()
            self._parts.store.open_round(self._run, effect, now_unix_s=wall)
            reach("round recorded")
            self._reception.round_opened(effect.round)
            self._books.open(effect.round, started=now, started_unix_s=wall)
        offered = offer(self._model, data=self._base_data, sha256=self._base_sha256, chunk_bytes=self._chunk_bytes())
        online = self._reception.online
        audience = online if effect.phase == "finished" else set(effect.invited) & set(online)
        self._parts.sender.offer(offered.blobs, audience=audience)
        said_bytes = self._notice.publish(effect, model=offered.model, weights=offered.weights)
        self._books.count_manifest(said_bytes, devices=len(online))
        if opens:
            self._parts.log.say(
                "opened",
                run=self._run,
                round=effect.round,
                rounds=self._settings.rounds,
                attempt=effect.attempt,
                invited=list(effect.invited),
                quorum=effect.quorum,
            )

    def _close_round(self, effect: Aggregate, *, view: RoundView) -> None:
        parts = self._parts
        parts.store.close_round(self._run, effect.round, rests=effect.rests)
        reach("round closed")
        parts.log.say("closed", round=effect.round, participants=len(effect.contributions))
        self._reception.round_closed(view=view)
        self._reception.rest(effect.rests)
        for rest in effect.rests:
            if rest.round == effect.round < rest.until:
                parts.log.say(
                    "rested", device=rest.device, failures=rest.failures, until=rest.until, reason=rest.reason
                )
        parts.workbench.average(effect.round, effect.contributions, base=self._base)

    def _round_measured(self) -> None:
        newest = self._committed
        kept = set(range(newest - self._settings.keep_checkpoints + 1, newest + 1)) | self._scoring.waiting
        # The next round's may be there already.
        self._parts.checkpoints.keep_only(kept | {newest + 1})
        self._say_finished()

    def _finish(self) -> None:
        weights = self._settings.folder / "weights.safetensors"
        self._parts.patience.insist(lambda: write_bytes(weights, self._base_data))
        reach("last weights written")
        self._parts.store.finish_run(self._run, now_unix_s=self._wall_clock())
        self._finished_at = self._clock()
        self._say_finished()

    def _say_finished(self) -> None:
        """Tell that the run is complete; after the last line of metrics."""
        if self.complete:
            self._parts.log.say(
                "finished",
                run=self._run,
                rounds=self._settings.rounds,
                weights_sha256=self._base_sha256,
                weights=str(self._settings.folder / "weights.safetensors"),
            )

    def _say_wait(self, wait: Wait, *, view: RoundView) -> None:
        now = self._clock()
        kind = f"{view.phase} {view.round} {view.attempt}"
        said, at = self._wait_said
        if view.phase in ("gathering", "collecting") and (kind != said or now - at >= _SAY_WAIT_EVERY_S):
            # A round that just opened says so itself.
            if view.phase == "gathering" or kind == said:
                self._parts.log.say("waiting", reason=wait.reason, left_s=round(max(0.0, wait.until - now), 1))
            self._wait_said = (kind, now)
