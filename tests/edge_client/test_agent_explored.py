"""The agent against an aggregator and a network that lose, repeat and restart whatever Hypothesis thinks of."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_client.agent import Activity, Agent
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
from shared.messages import Reply, RoundManifest, UpdateManifest
from shared.transfer import indices_of, ranges_of
from tests.edge_client.rounds import manifest, update


class World:
    """A device on its disk, an aggregator that follows the protocol, and a network that loses what it is told to.

    Every effect is checked against what the agent was doing, so that none can be asked for twice or out of turn.
    """

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.lossy = True
        self.now = 0.0
        self.online = False
        # the disk
        self.update: UpdateManifest | None = None
        self.answer: Answer | None = None
        # the aggregator
        self.round = manifest(1)
        self.got: dict[str, set[int]] = {}
        self.accepted: set[tuple[int, str]] = set()
        # the device's work
        self.fetching: RoundManifest | None = None
        self.training: RoundManifest | None = None
        self.sending = False
        self.trainings = 0
        self.boot()

    def boot(self) -> None:
        """Start the device from its disk."""
        self.fetching = self.training = None
        self.sending = self.online = False
        self.agent = Agent("kitchen", uniform=self.uniform, update=self.update, answer=self.answer)
        self.do(self.agent.samples_counted(10, self.now))

    def uniform(self) -> float:
        """Jitter."""
        return self.data.draw(st.sampled_from([0.0, 0.5, 0.99]))

    def lost(self) -> bool:
        """Whether this message is lost."""
        return not self.online or (self.lossy and self.data.draw(st.booleans()))

    def do(self, effects: list[Effect]) -> None:
        """Carry effects out."""
        for effect in effects:
            match effect:
                case StartFetch(wanted):
                    assert self.fetching is None
                    assert self.training is None
                    self.fetching = wanted
                case StopFetch():
                    assert self.fetching is not None
                    self.fetching = None
                case StartTraining(wanted):
                    assert self.training is None
                    self.training = wanted
                    self.trainings += 1
                case StopTraining():
                    self.training = None
                case Offer(offered):
                    assert self.online
                    assert offered.round == self.agent.manifest.round if self.agent.manifest else False
                    self.offered(offered)
                case SendChunks(sent, ranges):
                    assert self.online
                    assert self.update == sent
                    self.sending = True
                    for index in indices_of(ranges, chunks=sent.blob.chunks):
                        if not self.lost():
                            self.got.setdefault(sent.blob.sha256 + str(sent.round), set()).add(index)
                case StopSending():
                    self.sending = False
                case DropUpdate(answer):
                    self.update = None
                    self.answer = answer or self.answer
                case Finished():
                    pass

    def offered(self, offered: UpdateManifest) -> None:
        """The aggregator hears of an update, and answers, unless either is lost."""
        if self.lost() or self.lost():
            return
        got = self.got.setdefault(offered.blob.sha256 + str(offered.round), set())
        verdict, ranges = "lacking", ranges_of(sorted(set(range(offered.blob.chunks)) - got))
        if offered.round != self.round.round or self.round.phase != "open":
            verdict, ranges = "stale", ()
        elif not ranges:
            verdict = "duplicate" if (offered.round, offered.blob.sha256) in self.accepted else "accepted"
            self.accepted.add((offered.round, offered.blob.sha256))
        answer = Reply(
            run=offered.run,
            round=offered.round,
            sha256=offered.blob.sha256,
            verdict=verdict,
            ranges=ranges,
        )
        self.do(self.agent.replied(answer, self.now))

    def step(self, what: str) -> None:
        """One thing happens."""
        match what:
            case "connect" if not self.online:
                self.online = True
                self.do(self.agent.connected(self.now))
            case "disconnect" if self.online:
                self.online = False
                self.do(self.agent.disconnected(self.now))
            case "manifest" if self.online:
                self.do(self.agent.round_published(self.round, self.now))
            case "fetched" if self.fetching is not None:
                key, self.fetching = RoundKey.of(self.fetching), None
                self.do(self.agent.fetched(key, self.now))
            case "trained" if self.training is not None:
                wanted, self.training = self.training, None
                self.update = update(wanted)
                self.do(self.agent.trained(self.update, self.now))
            case "fails" if self.agent.key is not None:
                self.do(self.agent.failed(self.agent.key, self.now))
                self.fetching = self.training = None
                assert self.agent.activity is Activity.FAILED
                assert self.update is None
            case "sent" if self.sending and self.online:
                self.sending = False
                self.do(self.agent.sent(self.now))
            case "tick":
                if self.agent.wake_at is not None:
                    self.now = max(self.now, self.agent.wake_at)
                self.now += 0.01
                self.do(self.agent.tick(self.now))
            case "next round" if self.round.round < 4:
                self.round = manifest(self.round.round + 1)
            case "close":
                self.round = manifest(self.round.round, phase="closed", attempt=self.round.attempt)
            case "reopen":
                self.round = manifest(self.round.round, attempt=self.round.attempt + 1)
            case "kill":
                self.boot()
            case "aggregator restarts":
                self.got.clear()
                self.do(self.agent.server_restarted(self.now))


STEPS = [
    "connect", "disconnect", "manifest", "fetched", "trained", "sent", "tick", "next round", "close", "reopen", "kill",
    "aggregator restarts", "fails",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data(), st.lists(st.sampled_from(STEPS), max_size=40))
def test_nothing_that_is_lost_can_hang_the_device(data: st.DataObject, steps: list[str]) -> None:
    """After any history, a network that works and an open round end with an accepted update, soon."""
    world = World(data)
    for what in steps:
        world.step(what)
    world.lossy = False
    if world.round.phase != "open" or world.agent.activity is Activity.FAILED:
        world.step("reopen")
    began = world.now
    for what in ("connect", "manifest"):
        world.step(what)
    for _ in range(30):
        for what in ("fetched", "trained", "sent", "tick"):
            world.step(what)
        if world.answer is not None and world.answer.key == RoundKey.of(world.round):
            break
    assert world.answer is not None
    assert world.answer.key == RoundKey.of(world.round)
    assert world.answer.verdict in ("accepted", "duplicate") or world.answer.attempt >= world.round.attempt
    assert world.update is None
    assert world.now - began < 600


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data(), st.lists(st.sampled_from(["connect", "disconnect", "manifest", "sent", "tick", "kill"]), max_size=40))
def test_a_trained_round_is_not_trained_again(data: st.DataObject, steps: list[str]) -> None:
    """Once the update is on the disk, no restart, loss or repeated manifest makes the device train for it again."""
    world = World(data)
    for what in ("connect", "manifest", "fetched", "trained"):
        world.step(what)
    assert world.trainings == 1
    for what in steps:
        world.step(what)
    assert world.trainings == 1
    assert world.update is not None or world.answer is not None
