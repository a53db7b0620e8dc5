"""Carries out what the agent decides: has it fetched, trained (`edge_client.round_training`), published.

One thread, the device's own, calls everything here. What ends elsewhere (a training) comes back through ``later``,
which runs a function on that thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from edge_client.adoption import Adopter
from edge_client.agent import Activity, Agent
from edge_client.agent_effects import (
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
from edge_client.blob_cache import BlobCache
from edge_client.governor import Governor
from edge_client.outbox import Outbox
from edge_client.round_training import RoundTraining
from edge_client.sample_store import SampleStore
from edge_client.supplies import Supplies
from edge_client.trainer import Trainer
from edge_client.uplink import Uplink, in_vain
from shared.crash_points import reach
from shared.errors import ProtocolError, StorageError
from shared.messages import Failure, ModelRef, Reply, RoundManifest, ServerState, UpdateManifest

Event = dict[str, Any]

GOVERNOR_INTERVAL_S = 30.0
"""How often a training that may not begin is asked for again, in seconds."""

_ACKNOWLEDGED_POLL_S = 0.05
_NO_SAMPLES = "it holds no samples"
_PAUSED = "it is paused by its owner"


class Participation:
    """A device's part in the rounds, with its I/O.

    Args:
        device: the device's name.
        holdout: the fraction of the samples kept out of training.
        store: the device's samples.
        cache: what was fetched.
        max_fetch_bytes: what the model and the weights of a round may take together.
        outbox: the update on the disk.
        trainer: where trainings are queued.
        governor: says when they may begin.
        uplink: what is published.
        adopter: adopts global weights; None if the device keeps none.
        later: runs a function on the device's thread.
        emit: told what happens.
        uniform: draws from [0, 1); the source of jitter.
        clock: monotonic, in seconds.
        unix_clock: Unix time, in seconds.
    """

    def __init__(
        self,
        device: str,
        *,
        holdout: float,
        store: SampleStore,
        cache: BlobCache,
        max_fetch_bytes: int,
        outbox: Outbox,
        trainer: Trainer,
        governor: Governor,
        uplink: Uplink,
        adopter: Adopter | None,
        later: Callable[[Callable[[], None]], None],
        emit: Callable[[Event], None],
        uniform: Callable[[], float],
        clock: Callable[[], float],
        unix_clock: Callable[[], float],
    ) -> None:
        self._device = device
        self._holdout = holdout
        self._store = store
        self._outbox = outbox
        self._governor = governor
        self._uplink = uplink
        self._adopter = adopter
        self._emit = emit
        self._clock = clock
        self._unix_clock = unix_clock
        kept = outbox.load()
        self._blob = kept.blob
        self._agent = Agent(device, uniform=uniform, update=kept.update, answer=kept.answer)
        self._supplies = Supplies(
            cache=cache,
            uplink=uplink,
            arrived=self._supplied,
            failed=lambda manifest, reason: self._give_up(RoundKey.of(manifest), reason),
            emit=emit,
            uniform=uniform,
            clock=clock,
            max_bytes=max_fetch_bytes,
        )
        self._training = RoundTraining(
            device,
            split=lambda labels: store.split(holdout=holdout, labels=labels),
            trainer=trainer,
            outbox=outbox,
            chunk_bytes=lambda: uplink.chunk_bytes,
            trained=self._trained,
            failed=lambda manifest, reason: self._give_up(RoundKey.of(manifest), reason),
            later=later,
            emit=emit,
            clock=clock,
            unix_clock=unix_clock,
        )
        self._governor_at: float | None = None
        self._objection = ""
        self._failed: RoundKey | None = None
        self._reason = ""
        self._server: ServerState | None = None
        # How many offers in a row were not answered, those apart that queue behind chunks.
        self._unanswered = 0
        self._said: tuple[RoundKey, int, str] | None = None

    @property
    def activity(self) -> Activity:
        """What the device does now."""
        return self._agent.activity

    @property
    def failure(self) -> Failure | None:
        """Why no update of this device will come to the round, where it is invited and none will."""
        manifest, key = self._agent.manifest, self._agent.key
        if manifest is None or key is None:
            return None
        if self._agent.activity is Activity.FAILED:
            reason = self._reason if self._failed == key and len(self._store) else _NO_SAMPLES
        elif self._agent.activity is Activity.WAITING and self._governor.paused():
            reason = _PAUSED
        else:
            return None
        return Failure(run=key.run, round=key.round, attempt=manifest.attempt, reason=reason)

    @property
    def wake_at(self) -> float | None:
        """When `step` has something to do, by the clock."""
        times = [self._agent.wake_at, self._supplies.wake_at, self._governor_at]
        if self._uplink.has_chunks:
            times.append(self._clock())
        elif self._uplink.sending:
            times.append(self._clock() + _ACKNOWLEDGED_POLL_S)
        return min((at for at in times if at is not None), default=None)

    # -- facts --------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The broker has us."""
        self._supplies.connected()
        self._act(self._agent.connected(self._clock()))

    def disconnected(self) -> None:
        """The broker lost us."""
        self._supplies.disconnected()
        self._act(self._agent.disconnected(self._clock()))

    def server_state(self, state: ServerState) -> None:
        """The aggregator is there, or away."""
        known, self._server = self._server, state
        restarted = state.online and known is not None and known != state
        self._supplies.server(online=state.online, restarted=restarted)
        if restarted:
            self._act(self._agent.server_restarted(self._clock()))

    def samples_changed(self) -> None:
        """The store has gained or lost samples."""
        self._act(self._agent.samples_counted(len(self._store), self._clock()))

    def pause_switched(self) -> None:
        """A person has paused training, or resumed it."""
        if self._agent.activity in (Activity.TRAINING, Activity.WAITING):
            self._ask_governor()

    def round_published(self, manifest: RoundManifest) -> None:
        """The retained round manifest came, again or anew."""
        said = (RoundKey.of(manifest), manifest.attempt, manifest.phase)
        if said != self._said:
            self._said = said
            invited = self._device in manifest.invited
            self._emit(
                {
                    "event": "round",
                    "run": manifest.run,
                    "round": manifest.round,
                    "rounds": manifest.rounds,
                    "attempt": manifest.attempt,
                    "phase": manifest.phase,
                    "invited": invited,
                    "reason": "" if invited or manifest.phase != "open" else self._unfit(manifest.model),
                }
            )
        self._act(self._agent.round_published(manifest, self._clock()))

    def replied(self, reply: Reply) -> None:
        """The aggregator answered."""
        self._unanswered = 0
        self._act(self._agent.replied(reply, self._clock()))

    def chunk(self, sha256: str, index: int, payload: bytes) -> None:
        """A chunk of a blob came.

        Raises:
            ProtocolError: it does not belong to the blob, or made a whole of another hash.
        """
        self._supplies.chunk(sha256, index, payload)
        reach("fetching")

    def step(self) -> None:
        """Do what is due."""
        if self._governor_at is not None and self._clock() >= self._governor_at:
            self._ask_governor()
        self._supplies.tick()
        self._act(self._agent.tick(self._clock()))
        if self._uplink.sending:
            try:
                if self._uplink.step():
                    reach("uploaded")
                    self._act(self._agent.sent(self._clock()))
            except ProtocolError as error:
                self._give_up(self._agent.key, str(error))

    def stop(self) -> None:
        """End what runs; what is on the disk stays."""
        self._training.stop()

    # -- effects ------------------------------------------------------------------------------------------------------

    def _act(self, effects: Iterable[Effect]) -> None:
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            match effect:
                case StartFetch(manifest):
                    self._supplies.fetch(manifest)
                case StopFetch():
                    self._supplies.stop()
                case StartTraining(manifest):
                    self._train(manifest)
                case StopTraining():
                    self._training.stop()
                case Offer(update):
                    self._count_offer()
                    self._uplink.offer(update, expiry_s=self._expiry_s())
                case SendChunks(update, ranges):
                    self._uplink.send(update, self._blob, ranges, expiry_s=self._expiry_s())
                case StopSending():
                    self._uplink.stop_sending()
                case DropUpdate(answer):
                    if self._uplink.sending and answer is not None and answer.verdict == "accepted":
                        # The verdict was here before the broker's last acknowledgement was looked at.
                        reach("uploaded")
                    self._blob = b""
                    self._saving(partial(self._outbox.settle, answer))
                    reach("verdict kept")
                    if answer is not None:
                        self._emit(
                            {
                                "event": "verdict",
                                "run": answer.key.run,
                                "round": answer.key.round,
                                "verdict": answer.verdict,
                                "reason": answer.reason,
                            }
                        )
                case Finished(manifest):
                    self._emit({"event": "finished", "run": manifest.run, "rounds": manifest.rounds})
                    if self._adopter is not None and not self._adopter.has(manifest):
                        self._supplies.fetch(manifest)

    def _count_offer(self) -> None:
        if self._uplink.sending or (self._server is not None and not self._server.online):
            return
        self._unanswered += 1
        if in_vain(self._unanswered):
            self._uplink.distrust("the aggregator is there, and does not answer")

    def _supplied(self, manifest: RoundManifest) -> None:
        if manifest.phase == "finished":
            self._adopt(manifest)
            return
        self._ask_governor()
        self._act(self._agent.fetched(RoundKey.of(manifest), self._clock()))
        self._governor_at = self._next_governor()

    def _ask_governor(self) -> None:
        paused = self._governor.paused()
        objection = self._governor.objection()
        if objection and objection != self._objection:
            self._emit({"event": "waiting", "reason": objection})
        self._objection = objection
        self._act(self._agent.allowed(not objection, self._clock(), at_once=paused))
        self._governor_at = self._next_governor()

    def _next_governor(self) -> float | None:
        return self._clock() + GOVERNOR_INTERVAL_S if self._agent.activity is Activity.WAITING else None

    # -- training -----------------------------------------------------------------------------------------------------

    def _train(self, manifest: RoundManifest) -> None:
        self._training.begin(
            manifest,
            model=self._supplies.model(manifest),
            weights=self._supplies.weights(manifest),
            fetch_s=self._supplies.fetch_s,
        )

    def _trained(self, manifest: RoundManifest, update: UpdateManifest, blob: bytes) -> None:
        self._blob = blob
        self._act(self._agent.trained(update, self._clock()))
        self._adopt(manifest)

    def _give_up(self, key: RoundKey | None, reason: str) -> None:
        if key is None:
            return
        self._failed, self._reason = key, reason
        self._emit({"event": "failed", "run": key.run, "round": key.round, "reason": reason})
        self._act(self._agent.failed(key, self._clock()))

    def _adopt(self, manifest: RoundManifest) -> None:
        if self._adopter is not None:
            self._adopter.consider(
                manifest,
                model=self._supplies.model(manifest),
                weights=self._supplies.weights(manifest),
                held=lambda labels: self._store.held_out(holdout=self._holdout, labels=labels),
            )

    def _unfit(self, model: ModelRef) -> str:
        """Say why this device's samples are of no use to a model; empty if they are, or nobody here can tell."""
        counts = self._store.counts()
        if not counts:
            return _NO_SAMPLES
        labels = self._supplies.labels(model)
        if labels is None or any(label in labels for label in counts):
            return ""
        return f"none of its {sum(counts.values()):,} samples has one of the {len(labels)} labels of {model.name!r}"

    def _saving(self, save: Callable[[], None]) -> None:
        try:
            save()
        except StorageError as error:
            self._emit({"event": "trouble", "reason": str(error)})

    def _expiry_s(self) -> float:
        manifest = self._agent.manifest
        remaining_s = manifest.deadline_unix_s - self._unix_clock() if manifest is not None else 0.0
        # The two clocks may differ, so that neither a deadline long past nor one far away is believed.
        return min(max(remaining_s, 60.0), 3600.0)
