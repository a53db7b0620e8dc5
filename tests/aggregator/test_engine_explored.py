"""The round engine, told anything in any order: what has to hold holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aggregator.engine import (
    Aggregate,
    Aggregated,
    Commit,
    Committed,
    Contribution,
    Counted,
    DeviceDeclined,
    DeviceExpelled,
    DeviceGone,
    DeviceSeen,
    Effect,
    Event,
    Excused,
    Fail,
    Finish,
    OpenRound,
    PublishRound,
    Refused,
    ResumePoint,
    RoundEngine,
    RunPlan,
    Started,
    Tick,
    UpdateAccepted,
    Wait,
)
from aggregator.store import RunRecord, Store
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest

RUN = "run"
MANIFEST = UpdateManifest(
    run=RUN,
    round=1,
    samples=5,
    base="0" * 64,
    blob=BlobRef.of(b"update", chunk_bytes=256),
    metrics=LocalMetrics(train=Score(loss=1.0, accuracy=0.5, samples=5)),
)
DEVICES = st.sampled_from(["a", "b", "c", "d"])
PLANS = st.builds(
    RunPlan,
    rounds=st.integers(1, 4),
    per_round=st.sampled_from([0, 2]),
    min_devices=st.sampled_from([2, 3, 1]),
    wait_s=st.just(50.0),
    deadline_s=st.just(20.0),
    quorum=st.sampled_from([1, 0, 2]),
    max_attempts=st.integers(1, 3),
    grace_s=st.sampled_from([0.0, 5.0]),
    work_s=st.just(30.0),
    over_select=st.sampled_from([0.0, 0.5]),
    rest=st.sampled_from([4, 0]),
)


class Rounds(RuleBasedStateMachine):
    """Keeps what a store would keep, and holds every effect against it."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = False
        self.engine: RoundEngine | None = None
        self.work: list[Aggregated | Committed] = []
        self.store: Any = None

    def teardown(self) -> None:
        if self.store is not None:
            self.store.close()

    @precondition(lambda self: self.engine is None or self.ended)
    @rule(plan=PLANS)
    def begin(self, plan: RunPlan) -> None:
        """A run begins; when it has ended, another one."""
        self.now = 0.0
        self.ended = False
        self.point = ResumePoint()
        self.counted: set[tuple[int, str]] = set()
        self.excused: set[str] = set()
        self.averaged: dict[int, tuple[Contribution, ...]] = {}
        self.work = []
        self.last: tuple[Effect, ...] = ()
        self.plan = plan
        if self.store is not None:
            self.store.close()
        self.store = Store(Path(":memory:")).__enter__()
        self.store.begin_run(RunRecord(RUN, False, "model", "weights", {}), now_unix_s=0.0)
        self.engine = RoundEngine(plan)
        self.tell(Started())

    def tell(self, event: Event) -> None:
        assert self.engine is not None
        self.last = self.engine.handle(event, now=self.now)
        for effect in self.last:
            self.keep(effect)

    def keep(self, effect: Effect) -> None:
        """Carry an effect out: in the store, as the coordinator does, and in what the store is held against."""
        assert not self.ended, "nothing is asked for after the end"
        if isinstance(effect, PublishRound) and effect.phase == "open":
            self.store.open_round(RUN, effect, now_unix_s=0.0)
        elif isinstance(effect, Counted):
            self.store.add_contribution(RUN, effect.round, effect.contribution, manifest=MANIFEST)
        elif isinstance(effect, Aggregate):
            self.store.close_round(RUN, effect.round, rests=effect.rests)
        if isinstance(effect, PublishRound) and effect.phase == "open":
            known = self.point.open
            contributions: tuple[Contribution, ...] = ()
            if known is not None and known.round == effect.round:
                assert effect.attempt >= known.attempt
                assert not known.closed, "a round that is being averaged is not opened again"
                contributions = known.contributions
            assert {entry.device for entry in contributions} <= set(effect.invited)
            assert list(effect.invited) == sorted(set(effect.invited))
            assert 1 <= effect.quorum <= len(effect.invited)
            needed = min(self.plan.per_round or len(effect.invited), len(effect.invited))
            assert effect.quorum == (self.plan.quorum or needed)
            assert effect.attempt <= self.plan.max_attempts
            able = (set(effect.roster) - self.excused) | {entry.device for entry in contributions}
            if len(able) >= max(1, self.plan.quorum):
                assert not self.excused & set(effect.invited), "who cannot is not asked again where others can"
            counted = {entry.device for entry in contributions}
            resting = {rest.device for rest in self.point.rests if rest.until >= effect.round} - counted
            if len(able - resting) >= max(1, self.plan.quorum):
                assert not resting & set(effect.invited), "who rests is not asked where others are enough"
            self.excused = set()
            assert self.now < effect.deadline <= self.now + self.plan.deadline_s
            opened = OpenRound(effect.round, effect.attempt, effect.invited, effect.quorum, contributions)
            self.point = replace(self.point, open=opened, roster=effect.roster)
        elif isinstance(effect, Counted):
            open_round = self.point.open
            assert open_round is not None
            assert open_round.round == effect.round
            assert not open_round.closed
            assert effect.contribution.device in open_round.invited
            key = (effect.round, effect.contribution.device)
            assert key not in self.counted, "a device counts once in a round"
            self.counted.add(key)
            self.excused.discard(effect.contribution.device)
            contributions = tuple(sorted((*open_round.contributions, effect.contribution)))
            self.point = replace(self.point, open=replace(open_round, contributions=contributions))
        elif isinstance(effect, Aggregate):
            open_round = self.point.open
            assert open_round is not None
            assert effect.contributions == open_round.contributions
            assert len(effect.contributions) >= open_round.quorum, "no round without its quorum"
            assert self.averaged.setdefault(effect.round, effect.contributions) == effect.contributions
            self.hold_rests_against(effect)
            self.point = replace(self.point, open=replace(open_round, closed=True), rests=effect.rests)
            self.work.append(Aggregated(effect.round, "weights"))
            self.excused = set()
        elif isinstance(effect, Excused):
            open_round = self.point.open
            assert open_round is not None
            assert (effect.round, effect.attempt) == (open_round.round, open_round.attempt)
            assert effect.device in set(open_round.invited) - self.excused, "said once"
            assert effect.device not in {entry.device for entry in open_round.contributions}
            self.excused.add(effect.device)
        elif isinstance(effect, Commit):
            self.work.append(Committed(effect.round))
        elif isinstance(effect, (Finish, Fail)):
            self.ended = True
            if isinstance(effect, Finish):
                assert self.point.committed == self.plan.rounds

    def hold_rests_against(self, effect: Aggregate) -> None:
        """Failures are counted one a round, end with an update that counts, and cost no more rest than is allowed."""
        before = {rest.device: rest for rest in self.point.rests}
        contributors = {entry.device for entry in effect.contributions}
        after = {rest.device: rest for rest in effect.rests}
        assert list(after) == sorted(after)
        assert not contributors & after.keys(), "who contributed has failed in nothing"
        assert before.keys() - contributors <= after.keys(), "failures are forgotten by an update alone"
        for device, rest in after.items():
            known = before.get(device)
            if rest == known:
                continue
            assert rest.round == effect.round
            assert rest.failures == (known.failures if known else 0) + 1
            assert rest.reason
            assert rest.until - rest.round == (
                min(2 ** (rest.failures - 2), self.plan.rest) if rest.failures > 1 else 0
            )

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES, samples=st.sampled_from([0, 5, 9]))
    def seen(self, device: str, samples: int) -> None:
        self.tell(DeviceSeen(device, samples))

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule()
    def all_seen(self) -> None:
        for device in ("a", "b", "c", "d"):
            if not self.ended:
                self.tell(DeviceSeen(device, 5))

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES)
    def gone(self, device: str) -> None:
        self.tell(DeviceGone(device))

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES, sha256=st.sampled_from(["x", "y"]), back=st.sampled_from([0, 0, 0, 1, -1]))
    def any_update(self, device: str, sha256: str, back: int) -> None:
        self.update(device=device, sha256=sha256, back=back)

    def update(self, *, device: str, sha256: str, back: int) -> None:
        assert self.engine is not None
        self.tell(UpdateAccepted(self.engine.view.round - back, device, sha256, 5))
        answers = [effect for effect in self.last if isinstance(effect, (Counted, Refused))]
        assert len(answers) == 1, "every update has one verdict"

    @precondition(lambda self: self.engine is not None and not self.ended and self.engine.view.invited)
    @rule(data=st.data())
    def update_of_an_invited_device(self, data: st.DataObject) -> None:
        assert self.engine is not None
        device = data.draw(st.sampled_from(self.engine.view.invited))
        self.update(device=device, sha256="x", back=0)

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES, back=st.sampled_from([0, 0, 0, 1, -1]), attempts_back=st.sampled_from([0, 0, 0, 1, -1]))
    def declined(self, device: str, back: int, attempts_back: int) -> None:
        """A device cannot take part: a word about another round, another attempt or by a stranger changes nothing."""
        assert self.engine is not None
        view = self.engine.view
        self.tell(DeviceDeclined(device, view.round - back, view.attempt - attempts_back, "no room on the disk"))
        if back or attempts_back or device not in view.invited or view.phase != "collecting":
            assert not any(isinstance(effect, Excused) for effect in self.last)
            assert self.ended or self.engine.view == view

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES)
    def expelled(self, device: str) -> None:
        """A device was revoked: it is not there, and what counts of it stays."""
        assert self.engine is not None
        before = self.engine.view
        self.tell(DeviceExpelled(device, "it was revoked"))
        assert device not in self.engine.present
        if self.engine.view.round == before.round:
            assert set(before.contributions) <= set(self.engine.view.contributions)

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(seconds=st.sampled_from([0.0, 1.0, 6.0, 20.0, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.tell(Tick())

    @precondition(lambda self: self.work and not self.ended)
    @rule()
    def work_is_done(self) -> None:
        event = self.work.pop(0)
        if isinstance(event, Committed):
            # What the store does just before the engine is told.
            self.point = ResumePoint(event.round, None, self.point.roster, self.point.rests)
            self.store.commit_round(RUN, event.round, weights_sha256="weights", cost={})
        self.tell(event)

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(round_number=st.integers(0, 4), committed=st.booleans())
    def work_nobody_asked_for(self, round_number: int, committed: bool) -> None:
        """A report of work that is not under way changes nothing; one that is, has its own rule."""
        event = Committed(round_number) if committed else Aggregated(round_number, "other")
        if any(type(event) is type(due) and event.round == due.round for due in self.work):
            return
        assert self.engine is not None
        before = self.engine.view
        self.tell(event)
        after = self.engine.view
        assert (after.round, after.contributions) == (before.round, before.contributions)

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule()
    def killed_and_resumed(self) -> None:
        """What the store has is where the run goes on."""
        self.resume()

    @precondition(lambda self: self.engine is not None and not self.ended)
    @rule(device=DEVICES, seconds=st.sampled_from([0.0, 20.0, 50.0]), done=st.integers(0, 3))
    def killed_amid_effects(self, device: str, seconds: float, done: int) -> None:
        """Of what one event asks for, the first effects are carried out, and no more."""
        assert self.engine is not None
        self.now += seconds
        event: Event = self.work.pop(0) if self.work and device < "c" else Tick()
        if isinstance(event, Committed):
            self.point = ResumePoint(event.round, None, self.point.roster, self.point.rests)
            self.store.commit_round(RUN, event.round, weights_sha256="weights", cost={})
        elif device == "a" and self.engine.view.invited:
            event = UpdateAccepted(self.engine.view.round, self.engine.view.invited[0], "x", 5)
        self.last = self.engine.handle(event, now=self.now)
        for effect in self.last[:done]:
            self.keep(effect)
        if not self.ended:
            self.resume()

    def resume(self) -> None:
        self.work.clear()
        self.excused = set()
        assert self.store.resume_point(RUN) == self.point, "the store has what was carried out, all of it and no more"
        engine = RoundEngine(self.plan, resume=self.store.resume_point(RUN))
        self.engine = engine
        view, open_round = engine.view, self.point.open
        if open_round is None:
            assert view.round == self.point.committed + 1
            assert view.contributions == ()
        else:
            assert (view.round, view.attempt, view.invited, view.quorum, view.contributions) == (
                open_round.round,
                open_round.attempt,
                open_round.invited,
                open_round.quorum,
                open_round.contributions,
            )
        self.tell(Started())

    @invariant()
    def every_wait_has_a_deadline_and_a_reason(self) -> None:
        if self.engine is None or self.ended:
            return
        wait = self.last[-1]
        assert isinstance(wait, Wait)
        assert sum(isinstance(effect, Wait) for effect in self.last) == 1
        assert wait.reason
        assert self.now < wait.until <= self.now + max(self.plan.wait_s, self.plan.deadline_s, self.plan.work_s)

    @invariant()
    def a_round_waits_only_for_what_can_still_close_it(self) -> None:
        if self.engine is None or self.ended or self.engine.view.phase != "collecting":
            return
        view = self.engine.view
        counted = {entry.device for entry in view.contributions}
        awaited = set(view.invited) - counted - self.excused
        assert awaited
        assert len(counted) + len(awaited) >= view.quorum


Rounds.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None, derandomize=True)
TestRounds = Rounds.TestCase
