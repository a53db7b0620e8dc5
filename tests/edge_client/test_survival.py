"""What goes wrong is said in a line, and costs a device no more than a round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import ModelError, RunError
from shared.messages import BlobRef, DeviceState, ModelRef, ServerState, TrainingPlan
from shared.mqtt import Message
from tests.edge_client.rounds import manifest
from tests.edge_client.scripted_aggregator import ScriptedAggregator
from tests.edge_client.watched import Watched


def test_training_that_cannot_be_is_said_and_survived(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """A plan that does not fit the model fails in words, here and in the presence; the next round is trained."""
    watched = make()
    aggregator.open_round(1, plan=TrainingPlan(batch_size=999))
    assert "--batch-size 32 or less" in watched.next("failed")["reason"]
    state = aggregator.next(DeviceState, where=lambda state: state.failure is not None)
    assert state.failure is not None
    assert (state.activity, state.failure.round, state.failure.attempt) == ("failed", 1, 1)
    assert "--batch-size 32 or less" in state.failure.reason
    aggregator.open_round(2)
    assert watched.next("verdict")["round"] == 2


def test_a_round_that_does_not_fit_the_device_is_said_once(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """Four blobs, each allowed by itself, are too much together: one line says so, and the next round is trained."""
    watched = make(max_fetch_mib=8)
    huge = {
        part: BlobRef(sha256=f"{number:064x}", size_bytes=3 << 20, chunk_bytes=1 << 16)
        for number, part in enumerate(("manifest", "program", "reader"))
    }
    aggregator.open_round(1, model=ModelRef(name="huge", **huge))
    reason = watched.next("failed")["reason"]
    assert "MiB, and this device takes 8 MiB; raise --max-fetch-mib" in reason
    state = aggregator.next(DeviceState, where=lambda state: state.failure is not None)
    assert state.failure is not None
    assert "--max-fetch-mib" in state.failure.reason
    aggregator.open_round(2)
    assert watched.next("verdict")["round"] == 2
    said = [event["event"] for event in watched.events.queue]
    assert "failed" not in said
    assert "trouble" not in said


def test_garbage_from_the_network_is_said_and_survived(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """A round, a reply and a server state that are none do not end the device; one line is enough for them."""
    watched = make()
    assert aggregator.next(DeviceState).online, "its subscriptions came before"
    for topic in (aggregator.topics.reply("kitchen"), aggregator.topics.round, aggregator.topics.server_state):
        aggregator.link.publish(topic, b"{]")
    told = watched.next("trouble")
    assert (told["reason"].split(":")[0], told["count"]) == (aggregator.topics.reply("kitchen"), 1)
    aggregator.link.publish(aggregator.topics.server_state, ServerState(online=True, session=2).encode(), retain=True)
    aggregator.open_round(1)
    assert watched.next("verdict")["verdict"] == "accepted"


def test_a_flood_is_bounded_and_loses_no_round(make: Callable[..., Watched]) -> None:
    """While the device's thread is busy, chunks pile up to a bound, and of many rounds the newest is kept."""
    watched = make(start=False)
    device = watched.device
    for number in range(1, 1001):
        round_message = manifest(number, phase="closed").encode()
        device._inbox.hear(Message(topic=device._topics.round, payload=round_message, retain=False, qos=1))
        chunk = device._topics.blob_chunk("0" * 64, number)
        device._inbox.hear(Message(topic=chunk, payload=bytes(96 * 1024), retain=False, qos=1))
    assert device._inbox.passed_over > 600
    device.start()
    assert watched.next("round")["round"] == 1000


def test_any_error_of_ours_is_survived(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """Whatever kind of error a stranger's message leads to, the device says it and goes on."""

    def break_down() -> None:
        raise ModelError("a program of another kind")

    watched = make()
    watched.next("connected")
    watched.device._inbox.put(break_down)
    assert watched.next("trouble")["reason"] == "a program of another kind"
    aggregator.open_round(1)
    assert watched.next("verdict")["verdict"] == "accepted"


def test_a_full_disk_fails_the_round_and_not_the_device(
    aggregator: ScriptedAggregator, make: Callable[..., Watched], tmp_path: Path
) -> None:
    """Weights that cannot be written are one line; when there is room again, the next round is trained."""
    watched = make()
    watched.next("connected")
    in_the_way = tmp_path / "kitchen" / "cache"
    in_the_way.write_text("no folder can be made here")
    aggregator.open_round(1)
    assert "cache" in watched.next("failed")["reason"]
    in_the_way.unlink()
    aggregator.open_round(2)
    assert watched.next("verdict")["round"] == 2


def test_two_devices_on_one_folder(make: Callable[..., Watched]) -> None:
    """The second is refused in one line."""
    make()
    with pytest.raises(RunError, match="in use by another device"):
        make()
