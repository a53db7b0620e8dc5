"""The agent: single decisions."""

from __future__ import annotations

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
from tests.edge_client.rounds import manifest, update

ONE, TWO = manifest(1), manifest(2)
KEY = RoundKey.of(ONE)


def agent(*, update: UpdateManifest | None = None, answer: Answer | None = None) -> Agent:
    """An agent with samples, connected, whose waits are the whole bound."""
    one = Agent("kitchen", uniform=lambda: 1.0, update=update, answer=answer)
    one.samples_counted(100, 0.0)
    one.connected(0.0)
    return one


def training() -> Agent:
    """An agent that trains for round 1."""
    one = agent()
    one.round_published(ONE, 1.0)
    one.fetched(KEY, 2.0)
    return one


def uploading() -> tuple[Agent, list[Effect]]:
    """An agent that uploads its update to round 1, and how it began."""
    one = training()
    return one, one.trained(update(ONE), 3.0)


def reply(verdict: str, *, to: RoundManifest = ONE, **more: object) -> Reply:
    """A reply to the update to a round."""
    return Reply.model_validate(
        {"run": to.run, "round": to.round, "sha256": update(to).blob.sha256, "verdict": verdict} | more
    )


def offered(to: RoundManifest) -> Offer:
    """The update, offered again: its chunks wait to be asked for."""
    return Offer(update(to).model_copy(update={"follows": False}))


def test_a_round_goes_from_manifest_to_verdict() -> None:
    """Fetch, train, offer and send everything, keep the verdict: in this order, each once."""
    one = agent()
    assert one.round_published(ONE, 1.0) == [StartFetch(ONE)]
    assert one.fetched(KEY, 2.0) == [StartTraining(ONE)]
    made = update(ONE)
    assert one.trained(made, 3.0) == [Offer(made), SendChunks(made, ((0, 4),))]
    assert one.sent(3.1) == []
    assert one.replied(reply("accepted"), 4.0) == [DropUpdate(Answer(KEY, 1, "accepted")), StopSending()]
    assert one.activity is Activity.IDLE
    assert one.wake_at is None


def test_a_manifest_seen_twice_acts_once() -> None:
    """The retained manifest comes again at every reconnect: nothing is begun anew."""
    one = agent()
    one.round_published(ONE, 1.0)
    assert one.round_published(ONE, 1.1) == []
    one.fetched(KEY, 2.0)
    assert one.round_published(ONE, 2.1) == []
    assert one.connected(2.2) == []
    one.trained(update(ONE), 3.0)
    assert one.round_published(ONE, 3.1) == []
    one.replied(reply("accepted"), 4.0)
    assert one.round_published(ONE, 4.1) == []


def test_not_invited_not_acted() -> None:
    """Other devices' rounds, closed rounds, and rounds for a device without samples are left alone."""
    assert agent().round_published(manifest(1, invited=("cellar",)), 1.0) == []
    assert agent().round_published(manifest(1, phase="closed"), 1.0) == []
    empty = Agent("kitchen", uniform=lambda: 1.0)
    empty.connected(0.0)
    assert empty.round_published(ONE, 1.0) == []
    assert empty.activity is Activity.FAILED
    assert empty.samples_counted(1, 2.0) == [StartFetch(ONE)]


def test_a_new_round_abandons_the_old_fetch() -> None:
    """What was being fetched is let go, and the new round's fetch begins."""
    one = agent()
    one.round_published(ONE, 1.0)
    assert one.round_published(TWO, 1.5) == [StopFetch(), StartFetch(TWO)]


def test_a_new_round_stops_training() -> None:
    """A training for a round that is over ends; its late result changes nothing."""
    one = training()
    assert one.round_published(TWO, 3.0) == [StopTraining(), StartFetch(TWO)]
    assert one.trained(update(ONE), 3.5) == []
    assert one.activity is Activity.FETCHING


def test_a_new_round_drops_the_upload() -> None:
    """Chunks of an old update are no longer sent, and it leaves the disk."""
    one, _ = uploading()
    assert one.round_published(TWO, 4.0) == [DropUpdate(None), StopSending(), StartFetch(TWO)]


def test_deleting_the_samples_stops_training() -> None:
    """A person who deletes the samples is not trained on for another batch."""
    assert training().samples_counted(0, 3.0) == [StopTraining()]


def test_a_closed_round_pauses_the_upload_and_a_reopened_one_resumes_it() -> None:
    """While updates are averaged nothing is sent; opened again, the update is offered with the new attempt."""
    one, _ = uploading()
    one.sent(3.1)
    assert one.round_published(manifest(1, phase="closed"), 4.0) == [StopSending()]
    assert one.wake_at is None
    effects = one.round_published(manifest(1, attempt=2), 5.0)
    assert effects == [offered(manifest(1, attempt=2))]


def test_an_answered_round_stays_answered() -> None:
    """After a restart, and when the round is opened again, an accepted or rejected update is not made again."""
    for verdict in ("accepted", "duplicate", "rejected"):
        again = agent(answer=Answer(KEY, 1, verdict))
        assert again.round_published(manifest(1, attempt=2), 1.0) == []


def test_stale_holds_for_one_attempt() -> None:
    """An update that came too late may be made again if the round is opened again."""
    again = agent(answer=Answer(KEY, 1, "stale"))
    assert again.round_published(ONE, 1.0) == []
    assert again.round_published(manifest(1, attempt=2), 2.0) == [StartFetch(manifest(1, attempt=2))]


def test_another_run_of_the_same_name_is_another_round() -> None:
    """The same run and round from other weights was never answered."""
    again = agent(answer=Answer(KEY, 1, "accepted"))
    other = manifest(1, weights=TWO.weights)
    assert again.round_published(other, 1.0) == [StartFetch(other)]


def test_a_restart_resumes_the_upload() -> None:
    """The update on the disk is offered, not trained again; what is lacking is sent when the aggregator says so."""
    made = update(ONE)
    one = agent(update=made)
    assert one.round_published(ONE, 1.0) == [offered(ONE)]
    assert one.replied(reply("lacking", ranges=((1, 3),)), 1.5) == [SendChunks(made, ((1, 3),))]


def test_a_restart_into_another_round_drops_the_update() -> None:
    """An update whose round has passed is of no use."""
    assert agent(update=update(ONE)).round_published(TWO, 1.0) == [DropUpdate(None), StartFetch(TWO)]


def test_the_offer_is_repeated_with_growing_waits() -> None:
    """Silence is answered by repeating the manifest, more and more rarely, up to the cap."""
    one, _ = uploading()
    one.sent(3.1)
    waits = []
    for _ in range(8):
        at = one.wake_at
        assert at is not None
        assert one.tick(at - 0.01) == []
        assert one.tick(at) == [offered(ONE)]
        assert one.wake_at is not None
        waits.append(one.wake_at - at)
    assert waits == sorted(waits)
    assert waits[0] == 4.0
    assert waits[-1] == 30.0


def test_chunks_under_way_are_not_sent_twice() -> None:
    """A reply that was written while chunks were still under way is passed over; the next repeat asks again."""
    one, _ = uploading()
    lacking = reply("lacking", ranges=((0, 4),))
    assert one.replied(lacking, 3.05) == []
    one.sent(3.1)
    assert one.replied(lacking, 3.2) == []
    assert one.replied(lacking, 5.0) == [SendChunks(update(ONE), ((0, 4),))]


def test_chunks_that_never_went_out_do_not_block() -> None:
    """If the broker never takes the chunks, a reply that lacks them counts again after a while."""
    one, _ = uploading()
    assert one.replied(reply("lacking", ranges=((0, 1),)), 1000.0) == [SendChunks(update(ONE), ((0, 1),))]


def test_a_reconnect_offers_at_once() -> None:
    """What was published before the connection broke may be lost: the manifest goes out again."""
    one, _ = uploading()
    one.sent(3.1)
    one.disconnected(4.0)
    assert one.wake_at is None
    assert one.tick(100.0) == []
    assert one.connected(101.0) == [offered(ONE)]
    assert one.server_restarted(102.0) == [offered(ONE)]


def test_training_goes_on_without_a_broker() -> None:
    """A lost connection does not cost the work; the update goes out when the broker is back."""
    one = training()
    assert one.disconnected(3.0) == []
    assert one.trained(update(ONE), 4.0) == []
    assert one.activity is Activity.UPLOADING
    assert one.connected(5.0) == [Offer(update(ONE)), SendChunks(update(ONE), ((0, 4),))]


def test_failed_training_waits_for_the_next_attempt() -> None:
    """A device whose training fails stays alive and out of the round; opened again, it tries again."""
    one = training()
    one.failed(KEY, 3.0)
    assert one.activity is Activity.FAILED
    assert one.round_published(ONE, 3.1) == []
    again = manifest(1, attempt=2)
    assert one.round_published(again, 4.0) == [StartFetch(again)]


def test_an_update_that_cannot_be_sent_is_a_failure() -> None:
    """What the broker will not take is dropped, not offered for ever."""
    one, _ = uploading()
    assert one.failed(KEY, 4.0) == [DropUpdate(None), StopSending()]
    assert one.activity is Activity.FAILED
    assert one.tick(100.0) == []


def test_an_old_failure_does_not_spoil_the_new_round() -> None:
    """The news that round 1 failed, when round 2 is being fetched, changes nothing."""
    one = training()
    one.round_published(TWO, 3.0)
    assert one.failed(KEY, 3.1) == []
    assert one.activity is Activity.FETCHING


def test_training_waits_for_permission_and_is_not_stopped_by_its_loss() -> None:
    """The governor decides when training begins, not when it ends."""
    one = agent()
    one.allowed(False, 0.5)
    one.round_published(ONE, 1.0)
    assert one.fetched(KEY, 2.0) == []
    assert one.activity is Activity.WAITING
    assert one.allowed(True, 3.0) == [StartTraining(ONE)]
    assert one.allowed(False, 4.0) == []


def test_replies_to_others_are_passed_over() -> None:
    """A verdict on another round, another run or other bytes is not a verdict on this update."""
    one, _ = uploading()
    assert one.replied(reply("accepted", to=TWO), 4.0) == []
    assert one.replied(reply("accepted", sha256="0" * 64), 4.0) == []
    assert one.replied(reply("accepted", run="other"), 4.0) == []
    assert one.activity is Activity.UPLOADING


def test_a_late_verdict_counts() -> None:
    """A verdict that comes while the round is closed is kept: the round may be opened again."""
    one, _ = uploading()
    one.round_published(manifest(1, phase="closed"), 4.0)
    assert one.replied(reply("accepted"), 5.0) == [DropUpdate(Answer(KEY, 1, "accepted"))]
    assert one.round_published(manifest(1, attempt=2), 6.0) == []


def test_a_finished_run_is_said_once() -> None:
    """The last weights are announced once for each run, however often the manifest comes."""
    one = agent()
    last = manifest(9, phase="finished")
    assert one.round_published(last, 1.0) == [Finished(last)]
    assert one.round_published(last, 2.0) == []
    other = manifest(9, phase="finished", run="next")
    assert one.round_published(other, 3.0) == [Finished(other)]
