"""The round engine: what it asks for, case by case."""

from __future__ import annotations

from typing import TypeVar

from aggregator.engine import (
    Aggregate,
    Aggregated,
    Commit,
    Committed,
    Contribution,
    Counted,
    DeviceDeclined,
    DeviceGone,
    DeviceSeen,
    Effect,
    Evaluate,
    Excused,
    Fail,
    Finish,
    OpenRound,
    PublishRound,
    Refused,
    Rest,
    ResumePoint,
    RoundEngine,
    RunPlan,
    Started,
    Tick,
    UpdateAccepted,
    Wait,
)

E = TypeVar("E")


def the(kind: type[E], effects: tuple[Effect, ...]) -> E:
    """The one effect of this kind."""
    found = [effect for effect in effects if isinstance(effect, kind)]
    assert len(found) == 1, effects
    return found[0]


def has(kind: type[object], effects: tuple[Effect, ...]) -> bool:
    return any(isinstance(effect, kind) for effect in effects)


def begun(plan: RunPlan, *devices: str, resume: ResumePoint | None = None) -> tuple[RoundEngine, tuple[Effect, ...]]:
    """An engine that was started at 0 s and has seen these devices."""
    engine = RoundEngine(plan, resume=resume)
    effects = engine.handle(Started(), now=0.0)
    for device in devices:
        effects = engine.handle(DeviceSeen(device, 10), now=0.0)
    return engine, effects


def update(engine: RoundEngine, device: str, *, now: float = 1.0, sha: str | None = None) -> tuple[Effect, ...]:
    return engine.handle(UpdateAccepted(engine.view.round, device, sha or f"sha-{device}", 10), now=now)


def test_a_round_from_devices_to_commit() -> None:
    """Enough devices open a round, everyone's update closes it, its commit opens the next and evaluates the last."""
    engine, effects = begun(RunPlan(rounds=2, min_devices=2), "b", "a")
    opened = the(PublishRound, effects)
    assert (opened.round, opened.phase, opened.invited, opened.quorum) == (1, "open", ("a", "b"), 2)
    assert the(Counted, update(engine, "b")).received == 1
    effects = update(engine, "a")
    assert [entry.device for entry in the(Aggregate, effects).contributions] == ["a", "b"]
    assert the(Commit, engine.handle(Aggregated(1, "w1"), now=2.0)).weights_sha256 == "w1"
    effects = engine.handle(Committed(1), now=3.0)
    assert the(Evaluate, effects).round == 1
    assert the(PublishRound, effects).round == 2


def test_the_last_round_finishes_the_run() -> None:
    """After the last commit the fleet is told that the run is finished, and nothing is waited for."""
    engine, _ = begun(RunPlan(rounds=1), "a")
    update(engine, "a")
    engine.handle(Aggregated(1, "w"), now=1.0)
    effects = engine.handle(Committed(1), now=1.0)
    assert the(PublishRound, effects).phase == "finished"
    assert has(Finish, effects)
    assert not has(Wait, effects)


def test_a_wait_says_what_for_and_until_when() -> None:
    """A wait names the updates that came, those asked for, and the seconds left."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=3, deadline_s=60), "a", "b", "c")
    update(engine, "a", now=5.0)
    wait = the(Wait, update(engine, "b", now=19.0))
    assert wait == Wait("2 of 3 updates, 41 s left", 60.0)


def test_too_few_devices_fail_the_run_when_the_wait_is_over() -> None:
    """A run that lacks devices waits for them until wait_s, then fails with how many came."""
    engine, effects = begun(RunPlan(rounds=1, min_devices=3, wait_s=30), "a", "b")
    assert the(Wait, effects) == Wait("2 of 3 devices, 30 s left", 30.0)
    failed = the(Fail, engine.handle(Tick(), now=30.0))
    assert failed.reason == "round 1 needs 3 devices with samples, 2 came in 30 s: a, b"


def test_per_round_counts_for_the_devices_needed() -> None:
    """A run that invites four devices a round does not begin with three."""
    _, effects = begun(RunPlan(rounds=1, per_round=4), "a", "b", "c")
    assert the(Wait, effects).reason.startswith("3 of 4 devices")


def test_a_device_without_samples_is_not_invited() -> None:
    """A device that has nothing to train on does not count."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=1))
    assert the(Wait, engine.handle(DeviceSeen("a", 0), now=0.0)).reason.startswith("0 of 1 device")
    assert the(PublishRound, engine.handle(DeviceSeen("b", 1), now=0.0)).invited == ("b",)


def test_a_quorum_closes_the_round_at_its_deadline() -> None:
    """With a quorum, the deadline closes the round; whoever is still training is told."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=3, quorum=2, deadline_s=60), "a", "b", "c")
    update(engine, "a")
    assert not has(Aggregate, update(engine, "b"))
    effects = engine.handle(Tick(), now=60.0)
    assert the(PublishRound, effects).phase == "closed"
    assert len(the(Aggregate, effects).contributions) == 2


def test_without_a_quorum_the_round_is_opened_again_without_the_silent() -> None:
    """A second attempt keeps what counts, and invites only those that are there."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=2, deadline_s=60, grace_s=5), "a", "b", "c")
    update(engine, "a")
    engine.handle(DeviceGone("b"), now=2.0)
    opened = the(PublishRound, engine.handle(Tick(), now=60.0))
    assert (opened.attempt, opened.invited, opened.quorum) == (2, ("a", "c"), 2)
    assert [entry.device for entry in the(Aggregate, update(engine, "c", now=61.0)).contributions] == ["a", "c"]


def test_a_second_attempt_invites_replacements_up_to_per_round() -> None:
    """With k devices a round, a device that is gone is replaced by one that was not invited."""
    devices = ("a", "b", "c", "d", "e")
    engine, effects = begun(RunPlan(rounds=1, per_round=2, min_devices=5, deadline_s=60, grace_s=0), *devices)
    first = the(PublishRound, effects).invited
    engine.handle(DeviceGone(first[0]), now=1.0)
    second = the(PublishRound, engine.handle(Tick(), now=60.0)).invited
    assert len(second) == 2
    assert first[0] not in second
    assert first[1] in second


def test_the_run_fails_after_max_attempts_and_names_the_silent() -> None:
    """The last attempt's deadline fails the run, says what it had and who was silent, and closes the round."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=2, deadline_s=60, max_attempts=2), "a", "b")
    update(engine, "a")
    engine.handle(Tick(), now=60.0)
    effects = engine.handle(Tick(), now=120.0)
    assert the(Fail, effects).reason == ("round 1: 1 of 2 updates needed came in 2 attempts of 60 s; no update from b")
    assert the(PublishRound, effects).phase == "closed"


def decline(
    engine: RoundEngine, device: str, *, attempt: int = 1, reason: str = "no room", now: float = 2.0
) -> tuple[Effect, ...]:
    return engine.handle(DeviceDeclined(device, engine.view.round, attempt, reason), now=now)


def test_a_round_does_not_wait_for_a_device_that_cannot() -> None:
    """With the quorum there, the last answer closes the round, be it an update or a no; a no is told once."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=3, quorum=2, deadline_s=60), "a", "b", "c")
    update(engine, "a")
    effects = decline(engine, "b")
    assert the(Excused, effects) == Excused(1, 1, "b", "no room")
    assert the(Wait, effects).reason == "1 of 3 updates, 58 s left; b cannot take part: no room"
    assert not has(Excused, decline(engine, "b", reason="something else"))
    effects = update(engine, "c", now=3.0)
    assert [entry.device for entry in the(Aggregate, effects).contributions] == ["a", "c"]
    assert the(PublishRound, effects).phase == "closed"


def test_a_quorum_out_of_reach_ends_the_attempt_at_once() -> None:
    """The round is opened again without the device that cannot, and closes with what counts already."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=3, deadline_s=60), "a", "b", "c")
    update(engine, "a")
    effects = decline(engine, "b")
    opened = the(PublishRound, effects)
    assert (opened.attempt, opened.invited, opened.quorum, opened.deadline) == (2, ("a", "c"), 2, 62.0)
    assert len(the(Aggregate, update(engine, "c", now=3.0)).contributions) == 2


def test_a_device_that_cannot_is_replaced() -> None:
    """With k devices a round, another one is drawn in its place."""
    engine, effects = begun(RunPlan(rounds=1, per_round=2, min_devices=3, deadline_s=60), "a", "b", "c")
    first = the(PublishRound, effects).invited
    second = the(PublishRound, decline(engine, first[0])).invited
    assert len(second) == 2
    assert first[0] not in second


def test_devices_that_all_cannot_are_asked_again_and_then_fail_the_run() -> None:
    """Nobody else is there: every attempt ends at once, and the run with the devices' reasons."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=2, deadline_s=60, max_attempts=2), "a", "b")
    assert the(PublishRound, decline(engine, "a")).invited == ("b",)
    effects = decline(engine, "b", attempt=2)
    assert the(Fail, effects).reason == (
        "round 1: 0 of 1 updates needed came in 2 attempts; b cannot take part: no room"
    )
    engine, _ = begun(RunPlan(rounds=1, min_devices=2, quorum=1, deadline_s=60, max_attempts=2), "a", "b")
    assert the(Wait, decline(engine, "a")).until == 60.0
    assert the(PublishRound, decline(engine, "b")).invited == ("a", "b")
    decline(engine, "a", attempt=2)
    assert the(Fail, decline(engine, "b", attempt=2)).reason.endswith("attempts; a, b cannot take part: no room")


def test_a_no_for_another_attempt_changes_nothing() -> None:
    """What a device said of the last attempt is not held against it when the round is opened again."""
    engine, _ = begun(RunPlan(rounds=1, deadline_s=60, max_attempts=3), "a")
    assert the(PublishRound, decline(engine, "a")).attempt == 2
    assert the(Wait, decline(engine, "a")).reason == "0 of 1 updates, 60 s left"
    assert has(Aggregate, update(engine, "a", now=3.0))


def test_a_device_that_can_after_all_counts() -> None:
    """An update is worth more than the word that there will be none."""
    engine, _ = begun(RunPlan(rounds=1, min_devices=2, quorum=1, deadline_s=60), "a", "b")
    decline(engine, "a")
    assert has(Counted, update(engine, "a", now=3.0))
    assert len(the(Aggregate, update(engine, "b", now=4.0)).contributions) == 2


def test_a_no_before_the_start_is_remembered() -> None:
    """A resumed round hears the retained states before the run goes on."""
    engine = RoundEngine(RunPlan(rounds=1, quorum=1), resume=ResumePoint(0, OpenRound(1, 1, ("a", "b"), 1)))
    for device in ("a", "b"):
        engine.handle(DeviceSeen(device, 10), now=0.0)
    decline(engine, "b", now=0.0)
    engine.handle(Started(), now=0.0)
    assert has(Aggregate, update(engine, "a"))


def test_updates_that_do_not_count_are_told_why() -> None:
    """Duplicates, second updates, strangers, other rounds and closed rounds each have their verdict."""
    engine, _ = begun(RunPlan(rounds=2, min_devices=2), "a", "b")
    update(engine, "a", sha="x")
    assert the(Refused, update(engine, "a", sha="x")).verdict == "duplicate"
    assert the(Refused, update(engine, "a", sha="y")).verdict == "rejected"
    assert the(Refused, update(engine, "stranger")).reason == "not invited to round 1"
    assert the(Refused, engine.handle(UpdateAccepted(7, "b", "z", 1), now=1.0)).verdict == "stale"
    update(engine, "b")
    assert the(Refused, update(engine, "b", sha="late")).reason == "round 1 is closed"


def test_a_short_absence_does_not_change_who_is_invited() -> None:
    """The next round waits for a device that just left, and opens with it when it is back."""
    engine, _ = begun(RunPlan(rounds=2, min_devices=2, grace_s=10), "a", "b")
    update(engine, "a")
    update(engine, "b")
    engine.handle(DeviceGone("b"), now=2.0)
    engine.handle(Aggregated(1, "w"), now=3.0)
    effects = engine.handle(Committed(1), now=3.0)
    assert the(Wait, effects) == Wait("b left; 9 s for it to come back", 12.0)
    assert the(PublishRound, engine.handle(DeviceSeen("b", 10), now=4.0)).invited == ("a", "b")


def test_a_long_absence_is_not_waited_for() -> None:
    """When the grace is over, the round opens without the device."""
    engine, _ = begun(RunPlan(rounds=2, min_devices=2, grace_s=10), "a", "b")
    update(engine, "a")
    update(engine, "b")
    engine.handle(DeviceGone("b"), now=2.0)
    engine.handle(Aggregated(1, "w"), now=3.0)
    engine.handle(Committed(1), now=3.0)
    assert the(PublishRound, engine.handle(Tick(), now=12.0)).invited == ("a",)


def test_an_open_round_is_resumed_with_what_counts() -> None:
    """After a restart the same round takes the updates that are lacking, and no second one of the others."""
    counted = Contribution("a", "x", 10)
    point = ResumePoint(2, OpenRound(3, 2, ("a", "b"), 2, (counted,)), ("a", "b"))
    engine, effects = begun(RunPlan(rounds=3), resume=point)
    opened = the(PublishRound, effects)
    assert (opened.round, opened.attempt, opened.phase) == (3, 2, "open")
    assert the(Refused, update(engine, "a", sha="x")).verdict == "duplicate"
    assert the(Aggregate, update(engine, "b")).contributions == (counted, Contribution("b", "sha-b", 10))


def test_a_closed_round_is_averaged_again_without_taking_more() -> None:
    """After a restart between closing and committing, the same contributions are averaged at once."""
    counted = Contribution("a", "x", 10)
    point = ResumePoint(0, OpenRound(1, 1, ("a", "b"), 1, (counted,), closed=True), ("a", "b"))
    engine, effects = begun(RunPlan(rounds=1, quorum=1), resume=point)
    assert the(Aggregate, effects).contributions == (counted,)
    assert the(Refused, update(engine, "b")).verdict == "stale"


def test_between_rounds_a_restart_gives_the_roster_time_to_come_back() -> None:
    """The next round does not open with the first device that reconnects, but when all of the roster are back."""
    engine, _ = begun(RunPlan(rounds=5, grace_s=10), resume=ResumePoint(2, None, ("a", "b")))
    assert has(Wait, engine.handle(DeviceSeen("a", 10), now=1.0))
    assert the(PublishRound, engine.handle(DeviceSeen("b", 10), now=2.0)).invited == ("a", "b")


def test_a_finished_run_is_finished_again() -> None:
    """Resuming a run that is complete says so."""
    _, effects = begun(RunPlan(rounds=2), resume=ResumePoint(2, None, ("a",)))
    assert the(PublishRound, effects).phase == "finished"
    assert has(Finish, effects)


def test_work_that_never_ends_fails_the_run() -> None:
    """Averaging has a deadline too."""
    engine, _ = begun(RunPlan(rounds=1, work_s=100), "a")
    assert the(Wait, update(engine, "a", now=1.0)).until == 101.0
    assert the(Fail, engine.handle(Tick(), now=101.0)).reason == "averaging round 1 took more than 100 s"


def test_over_selection_closes_with_the_updates_it_is_for() -> None:
    """Of 10 devices 4 are invited for 3 updates; the third closes the round, and the fourth is late, not at fault."""
    plan = RunPlan(rounds=2, per_round=3, over_select=0.3, min_devices=10)
    engine, effects = begun(plan, *"abcdefghij")
    opened = the(PublishRound, effects)
    assert (len(opened.invited), opened.quorum) == (4, 3)
    for device in opened.invited[:2]:
        assert not has(Aggregate, update(engine, device))
    closing = update(engine, opened.invited[2])
    assert the(PublishRound, closing).phase == "closed"
    assert len(the(Aggregate, closing).contributions) == 3
    assert the(Aggregate, closing).rests == ()
    late = the(Refused, update(engine, opened.invited[3]))
    assert (late.verdict, late.reason) == ("stale", "round 1 is closed")


def test_over_selection_rounds_up_and_exactly() -> None:
    """0.3 more than 10 are 13, a tenth more than 10 are 11, and 0.3 more than 2 are 3."""
    invited = [
        RunPlan(rounds=1, per_round=k, over_select=share).invited for k, share in ((10, 0.3), (10, 0.1), (2, 0.3))
    ]
    assert invited == [13, 11, 3]


def test_a_device_that_always_fails_rests_longer_and_longer() -> None:
    """The first failure is forgiven; then 1, 2, 4 rounds without it, up to the longest; one update, and all is well."""
    engine, _ = begun(RunPlan(rounds=40, quorum=1, min_devices=2, rest=4), "a", "b")
    invited, now = {}, 0.0
    for number in range(1, 30):
        view = engine.view
        invited[number] = "b" in view.invited
        if invited[number] and number < 24:
            engine.handle(DeviceDeclined("b", number, view.attempt, "no room"), now=now)
        elif invited[number]:
            update(engine, "b", now=now)
        update(engine, "a", now=now)
        engine.handle(Aggregated(number, "w"), now=now)
        engine.handle(Committed(number), now=now)
    assert [number for number, there in invited.items() if there] == [1, 2, 4, 7, 12, 17, 22, 27, 28, 29]


def test_who_is_silent_until_the_deadline_has_failed_as_well() -> None:
    """A device that never says a word rests like one that says it cannot."""
    engine, _ = begun(RunPlan(rounds=9, quorum=1, min_devices=2, deadline_s=10.0), "a", "b")
    for number, now in ((1, 0.0), (2, 20.0)):
        update(engine, "a", now=now)
        closing = engine.handle(Tick(), now=now + 20.0)
        engine.handle(Aggregated(number, "w"), now=now + 20.0)
        effects = engine.handle(Committed(number), now=now + 20.0)
    (rest,) = the(Aggregate, closing).rests
    assert (rest.device, rest.failures, rest.until, rest.reason) == ("b", 2, 3, "no update within 10 s")
    assert the(PublishRound, effects).invited == ("a",)


def test_who_rests_is_asked_where_the_others_are_too_few() -> None:
    """The quorum goes before the rest."""
    rests = (Rest("b", 5, 1, 9, "no room"),)
    _, effects = begun(RunPlan(rounds=9, quorum=2), "a", "b", resume=ResumePoint(1, rests=rests))
    assert the(PublishRound, effects).invited == ("a", "b")


def test_rest_outlives_a_restart() -> None:
    """A device that rested before the aggregator was restarted rests after it."""
    rests = (Rest("b", 5, 1, 3, "no room"),)
    _, effects = begun(RunPlan(rounds=9, quorum=1), "b", "a", resume=ResumePoint(1, roster=("a", "b"), rests=rests))
    assert the(PublishRound, effects).invited == ("a",)
