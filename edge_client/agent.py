"""What a device does about a round, without I/O: facts go in, effects come out.

The retained round manifest is the whole truth about what to do now. The agent never waits for a message that it could
have missed: after every fact it works out, from all facts together, what the device should be doing (`_goal`), and
returns the effects that lead there from what it is doing. Facts that are told twice change nothing.

What is worth keeping over a restart (the update, the last verdict) is handed back in by the constructor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from edge_client.agent_effects import (
    Answer,
    DropUpdate,
    Effect,
    Finished,
    Offer,
    RoundKey,
    SendChunks,
    StartFetch,
    StartTraining,
    StopFetch,
    StopSending,
    StopTraining,
)
from edge_client.retry import Retry
from shared.messages import Range, Reply, RoundManifest, UpdateManifest


class Activity(StrEnum):
    """What a device does, as its presence says it."""

    IDLE = "idle"
    FETCHING = "fetching"
    WAITING = "waiting"
    TRAINING = "training"
    UPLOADING = "uploading"
    FAILED = "failed"


@dataclass(frozen=True)
class _Task:
    activity: Activity
    key: RoundKey | None = None


_IDLE = _Task(Activity.IDLE)


@dataclass(frozen=True)
class UploadTiming:
    """How patient an upload is.

    Attributes:
        repeat: waits between repeats of the update's manifest while there is no verdict.
        settle_s: after the last chunk went out, a reply that still lacks some was written before they came, for so
            long; it is passed over, the next repeat asks again.
        send_limit_s: chunks that have not gone out after so long are taken for lost.
    """

    repeat: Retry = field(default_factory=lambda: Retry(first_s=2.0, cap_s=30.0))
    settle_s: float = 0.5
    send_limit_s: float = 300.0


class Agent:
    """A device's part in the rounds of a fleet. Not locked: one thread owns it.

    Every method that takes a fact takes ``now``, the monotonic clock in seconds, and returns the effects to carry out,
    in order.

    Args:
        device: the device's name.
        uniform: draws from [0, 1); the jitter's source.
        update: the update that was on disk, if one was.
        answer: the last verdict that was on disk, if one was.
        timing: see `UploadTiming`.
    """

    def __init__(
        self,
        device: str,
        *,
        uniform: Callable[[], float],
        update: UpdateManifest | None = None,
        answer: Answer | None = None,
        timing: UploadTiming | None = None,
    ) -> None:
        self._device = device
        self._uniform = uniform
        self._timing = timing or UploadTiming()
        self._manifest: RoundManifest | None = None
        self._online = False
        self._samples = 0
        self._allowed = True
        self._halted = False
        self._update = update
        self._fresh = False  # the update was made by this process, and none of its chunks was sent yet
        self._answer = answer
        self._failed: tuple[RoundKey, int] | None = None
        self._fetched: RoundKey | None = None
        self._finished_run = ""
        self._task = _IDLE
        self._offer_at: float | None = None
        self._offers = 0
        self._sending_since: float | None = None
        self._sent_at: float | None = None

    # -- what it is doing ---------------------------------------------------------------------------------------------

    @property
    def activity(self) -> Activity:
        """What the device does now."""
        return self._task.activity

    @property
    def key(self) -> RoundKey | None:
        """The round it does that for; None when idle."""
        return self._task.key

    @property
    def manifest(self) -> RoundManifest | None:
        """The newest round manifest."""
        return self._manifest

    @property
    def wake_at(self) -> float | None:
        """When `tick` has something to do; None if it is not waiting for a time."""
        return self._offer_at if self._online else None

    # -- facts --------------------------------------------------------------------------------------------------------

    def connected(self, now: float) -> list[Effect]:
        """The broker has us: what was published before may be lost."""
        self._online = True
        self._offers = 0
        if self._task.activity is Activity.UPLOADING:
            self._offer_at = now
        return self._settle(now)

    def disconnected(self, now: float) -> list[Effect]:
        """The broker lost us. Training goes on."""
        self._online = False
        return self._settle(now)

    def server_restarted(self, now: float) -> list[Effect]:
        """The aggregator came back: it may have forgotten what it was not told to keep."""
        return self.connected(now) if self._online else []

    def samples_counted(self, samples: int, now: float) -> list[Effect]:
        """The device holds so many samples."""
        self._samples = samples
        return self._settle(now)

    def allowed(self, allowed: bool, now: float, *, at_once: bool = False) -> list[Effect]:
        """Whether training may begin. One that runs is stopped only if it may not go on ``at_once``."""
        self._allowed = allowed
        self._halted = at_once and not allowed
        return self._settle(now)

    def round_published(self, manifest: RoundManifest, now: float) -> list[Effect]:
        """The retained round manifest, new or seen before."""
        self._manifest = manifest
        effects = self._settle(now)
        if manifest.phase == "finished" and self._finished_run != manifest.run:
            self._finished_run = manifest.run
            effects.append(Finished(manifest))
        return effects

    def fetched(self, key: RoundKey, now: float) -> list[Effect]:
        """Everything that the round needs is on the disk."""
        self._fetched = key
        return self._settle(now)

    def trained(self, update: UpdateManifest, now: float) -> list[Effect]:
        """Training ended well and the update is on the disk."""
        if self._task != _Task(Activity.TRAINING, RoundKey.of_update(update)):
            return []
        self._update = update
        self._fresh = True
        return self._settle(now)

    def failed(self, key: RoundKey, now: float) -> list[Effect]:
        """No update will come to this round: stay out of it, and say so, until it is opened again."""
        effects: list[Effect] = []
        if self._manifest is not None and RoundKey.of(self._manifest) == key:
            self._failed = (key, self._manifest.attempt)
            if self._update is not None and RoundKey.of_update(self._update) == key:
                # It cannot be sent: to offer it for ever would keep the round waiting.
                self._update = None
                effects.append(DropUpdate(None))
        if self._fetched == key:
            self._fetched = None
        return [*effects, *self._settle(now)]

    def sent(self, now: float) -> list[Effect]:
        """The broker has every chunk of the last `SendChunks`."""
        if self._sending_since is not None:
            self._sending_since = None
            self._sent_at = now
        return []

    def replied(self, reply: Reply, now: float) -> list[Effect]:
        """The aggregator answered."""
        update = self._update
        if update is None or (reply.run, reply.round, reply.sha256) != (update.run, update.round, update.blob.sha256):
            return []
        if reply.verdict == "lacking":
            return self._send_lacking(update, reply.ranges, now)
        manifest, key = self._manifest, RoundKey.of_update(update)
        attempt = manifest.attempt if manifest is not None and RoundKey.of(manifest) == key else update.attempt
        self._answer = Answer(key, attempt, reply.verdict, reply.reason)
        self._update = None
        return [DropUpdate(self._answer), *self._settle(now)]

    def tick(self, now: float) -> list[Effect]:
        """Time has passed."""
        return self._settle(now)

    # -- the decision -------------------------------------------------------------------------------------------------

    def _goal(self) -> _Task:
        manifest = self._manifest
        if manifest is None or manifest.phase != "open" or self._device not in manifest.invited:
            return _IDLE
        key = RoundKey.of(manifest)
        if self._is_answered(key, manifest.attempt):
            return _IDLE
        if self._update is not None and RoundKey.of_update(self._update) == key:
            return _Task(Activity.UPLOADING, key)
        if self._samples == 0 or self._failed == (key, manifest.attempt):
            return _Task(Activity.FAILED, key)
        if self._task == _Task(Activity.TRAINING, key) and not self._halted:
            return self._task
        if self._fetched != key:
            return _Task(Activity.FETCHING, key)
        return _Task(Activity.TRAINING if self._allowed else Activity.WAITING, key)

    def _is_answered(self, key: RoundKey, attempt: int) -> bool:
        answer = self._answer
        if answer is None or answer.key != key:
            return False
        return answer.verdict != "stale" or answer.attempt >= attempt

    def _settle(self, now: float) -> list[Effect]:
        effects = self._forget_passed_update()
        goal = self._goal()
        if goal != self._task:
            effects += self._leave()
            self._task = goal
            effects += self._enter(now)
        if self._task.activity is Activity.UPLOADING and self._online:
            effects += self._offer_if_due(now)
        return effects

    def _forget_passed_update(self) -> list[Effect]:
        """Drop an update whose round is known to be over: the manifest is about another, or the run has finished."""
        update, manifest = self._update, self._manifest
        if update is None or manifest is None:
            return []
        if RoundKey.of_update(update) == RoundKey.of(manifest) and manifest.phase != "finished":
            return []
        self._update = None
        return [DropUpdate(None)]

    def _leave(self) -> list[Effect]:
        match self._task.activity:
            case Activity.FETCHING:
                return [StopFetch()] if self._fetched != self._task.key else []
            case Activity.TRAINING:
                return [StopTraining()] if self._update is None else []
            case Activity.UPLOADING:
                self._offer_at = self._sending_since = self._sent_at = None
                return [StopSending()]
        return []

    def _enter(self, now: float) -> list[Effect]:
        manifest = self._manifest
        match self._task.activity:
            case Activity.FETCHING if manifest is not None:
                return [StartFetch(manifest)]
            case Activity.TRAINING if manifest is not None:
                return [StartTraining(manifest)]
            case Activity.UPLOADING:
                self._offers, self._offer_at = 0, now
        return []

    def _offer_if_due(self, now: float) -> list[Effect]:
        update, manifest = self._update, self._manifest
        if update is None or manifest is None or self._offer_at is None or now < self._offer_at:
            return []
        self._offer_at = now + self._timing.repeat.wait_s(self._offers, uniform=self._uniform)
        self._offers += 1
        offered = update.model_copy(update={"attempt": manifest.attempt, "follows": self._fresh})
        effects: list[Effect] = [Offer(offered)]
        if self._fresh:
            # The first time everything is lacking; later, and after a restart, the aggregator says what is.
            self._fresh = False
            effects += self._send(update, ((0, update.blob.chunks),), now)
        return effects

    def _send_lacking(self, update: UpdateManifest, ranges: tuple[Range, ...], now: float) -> list[Effect]:
        if self._task.activity is not Activity.UPLOADING or not self._online or not ranges:
            return []
        sending = self._sending_since is not None and now < self._sending_since + self._timing.send_limit_s
        if sending or (self._sent_at is not None and now < self._sent_at + self._timing.settle_s):
            return []
        self._offers = 0
        self._offer_at = now + self._timing.repeat.wait_s(0, uniform=self._uniform)
        return self._send(update, ranges, now)

    def _send(self, update: UpdateManifest, ranges: tuple[Range, ...], now: float) -> list[Effect]:
        self._sending_since, self._sent_at = now, None
        return [SendChunks(update, ranges)]
