"""A device in a fleet: a real broker, a real model, a scripted aggregator."""

from __future__ import annotations

import queue
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.brokers import RunningBroker
from deploy.chaos.line import Line
from deploy.chaos.proxy import Proxy
from edge_client.adoption import WeightsShelf
from edge_client.sample_store import SampleStore
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer
from shared.dataset import Dataset
from shared.errors import BrokerError, ModelError, RunError
from shared.messages import BlobRef, DeviceState, ModelRef, ServerState, TrainingPlan, UpdateManifest, Want
from shared.mqtt import Message
from shared.tensors import encode_tensors, sha256_of
from shared.transfer import indices_of
from tests.edge_client.rounds import manifest
from tests.edge_client.scripted_aggregator import DEADLINE_S, ScriptedAggregator
from tests.edge_client.test_trainer import bars
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import initial_weights

Event = dict[str, Any]


class Watched:
    """A device and what it told."""

    def __init__(self, settings: DeviceSettings, **more: Any) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.device = Device(settings, on_event=self.events.put, rng=np.random.default_rng(3), **more)

    def next(self, kind: str) -> Event:
        """Wait for the next event of a kind, passing over others."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            if event["event"] == kind:
                return event


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    """The model that ships for arithmetic."""
    return builtin_bundle("arithmetic")


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    """One interpreter for all tests of this module."""
    one = Trainer()
    yield one
    one.close()


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str, bundle: ModelBundle) -> Iterator[ScriptedAggregator]:
    """A scripted aggregator of a fleet of its own."""
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=bundle) as one:
        yield one


@pytest.fixture
def make(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path, trainer: Trainer) -> Iterator[Callable[..., Watched]]:
    """Make devices called ``kitchen`` that hold 60 samples, and stop them in the end."""
    made: list[Watched] = []

    def one(*, samples: Dataset | None = None, start: bool = True, **changes: Any) -> Watched:
        values: dict[str, Any] = {"name": "kitchen", "fleet": fleet_id, "folder": tmp_path / "kitchen"}
        settings = DeviceSettings(**(values | {"broker": str(mosquitto.address), "adopt": False} | changes))
        watched = Watched(settings, trainer=trainer)
        made.append(watched)
        watched.device.open().add(bars(60) if samples is None else samples, source="test")
        if start:
            watched.device.start()
        return watched

    yield one
    for watched in made:
        watched.device.stop()


def test_a_round_end_to_end(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """The device is present, fetches the weights, trains, uploads, hears the verdict; the next round likewise."""
    watched = make()
    state = aggregator.next(DeviceState)
    assert (state.online, state.samples) == (True, {"-": 30, "1": 30})
    opened = aggregator.open_round(1)
    assert aggregator.next(Want).sha256 == opened.weights.sha256
    update = aggregator.next(UpdateManifest)
    blob = aggregator.whole()
    assert sha256_of(blob) == update.blob.sha256
    assert (update.run, update.round, update.base) == ("run", 1, opened.weights.sha256)
    holdout = update.metrics.holdout_after
    assert holdout is not None
    assert update.samples + holdout.samples == 60
    assert watched.next("verdict")["verdict"] == "accepted"
    aggregator.open_round(2, weights=blob)
    assert aggregator.next(UpdateManifest).base == sha256_of(blob)
    assert watched.next("verdict")["round"] == 2


def test_a_model_that_does_not_ship_is_fetched(
    mosquitto: RunningBroker, fleet_id: str, bundle: ModelBundle, make: Callable[..., Watched]
) -> None:
    """Manifest, program and reader come over MQTT, are kept, and train."""
    manifest = bundle.manifest.model_copy(update={"name": "ours"})
    ours = ModelBundle.from_bytes(manifest=manifest.to_bytes(), program=bundle.program, reader=bundle.reader)
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=ours) as aggregator:
        watched = make()
        aggregator.open_round(1)
        assert {aggregator.next(Want).sha256 for _ in range(4)} == set(aggregator.blobs)
        assert watched.next("verdict")["verdict"] == "accepted"
        aggregator.open_round(2, weights=encode_tensors(initial_weights(manifest, seed=2)))
        assert watched.next("verdict")["round"] == 2
        wants = [message for _, message in list(aggregator.heard.queue) if isinstance(message, Want)]
        assert len({want.sha256 for want in wants}) <= 1


def test_lost_chunks_of_weights_are_asked_for_again(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """The second want names what was lost and nothing else."""
    lost: list[int] = []

    def lose(sha256: str, index: int) -> bool:
        if index in (3, 4, 9) and index not in lost:
            lost.append(index)
            return True
        return False

    aggregator.lose = lose
    watched = make()
    aggregator.open_round(1)
    aggregator.next(Want)
    assert list(indices_of(aggregator.next(Want).ranges, chunks=99)) == [3, 4, 9]
    assert watched.next("verdict")["verdict"] == "accepted"


def test_lost_chunks_of_an_update_are_sent_again(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """The repeated manifest is answered with what is lacking, and that alone goes out again."""
    dropped: list[int] = []

    def deaf(topic: Any) -> bool:
        if topic.kind == "chunk" and topic.index in (2, 7) and topic.index not in dropped:
            dropped.append(topic.index)
            return True
        return False

    aggregator.deaf_to = deaf
    watched = make()
    aggregator.open_round(1)
    assert watched.next("verdict")["verdict"] == "accepted"
    chunks = aggregator.next(UpdateManifest).blob.chunks
    assert sorted(aggregator.chunks_in) == list(range(chunks))


def test_a_lost_verdict_is_given_again(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """Silence after a whole update: the device repeats the manifest, and not the chunks."""
    aggregator.verdict = None
    watched = make()
    aggregator.open_round(1)
    update = aggregator.next(UpdateManifest)
    aggregator.whole()
    again = aggregator.next(UpdateManifest)
    assert again == update.model_copy(update={"follows": False}), "it is told that no chunks come after it"
    assert len(aggregator.chunks_in) == update.blob.chunks
    aggregator.reply("kitchen", update, "duplicate")
    assert watched.next("verdict")["verdict"] == "duplicate"


def test_a_pause_ends_the_training_and_outlives_a_restart(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """A person's switch stops a training of hours, is told to the aggregator, is kept, and lets it go on."""
    watched = make()
    aggregator.open_round(1, plan=TrainingPlan(local_epochs=10_000))
    assert watched.next("progress")["round"] == 1
    watched.device.learning.pause()
    watched.next("paused")
    assert watched.next("waiting")["reason"] == "it is paused by a person"
    declined = aggregator.next(DeviceState, where=lambda state: state.activity == "waiting" and state.paused)
    assert declined.failure is not None
    assert (declined.failure.round, declined.failure.reason) == (1, "it is paused by its owner")
    watched.device.stop()
    again = make()
    assert again.next("waiting")["reason"] == "it is paused by a person"
    again.device.learning.resume()
    again.next("resumed")
    assert again.next("training")["round"] == 1
    assert aggregator.next(DeviceState, where=lambda state: not state.paused and state.online).failure is None
    again.device.learning.pause()
    aggregator.open_round(2)
    assert again.next("waiting")
    again.device.learning.resume()
    assert again.next("verdict")["round"] == 2
    told = again.device.learning.snapshot()
    assert (told["round"], told["activity"], told["paused"]) == (2, "idle", False)
    assert [own["verdict"] for own in told["history"]] == ["accepted"]


def test_a_device_of_no_use_to_the_model_says_why(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """Where it is not invited and none of its samples has a label of the model, the round says so."""
    odd = bars(20)
    watched = make(samples=Dataset(odd.images, np.array(["alpha"] * 20), odd.writers))
    aggregator.open_round(1, invited=("cellar",))
    assert watched.next("round")["reason"] == "none of its 20 samples has one of the 17 labels of 'arithmetic'"
    watched.device.open().add(bars(2), source="test")
    aggregator.open_round(2, invited=("cellar",))
    assert watched.next("round")["reason"] == ""


def test_a_new_round_ends_the_training_for_the_old(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """A training of hours is over at the next batch when another round opens."""
    watched = make()
    aggregator.open_round(1, plan=TrainingPlan(local_epochs=10_000))
    assert watched.next("progress")["round"] == 1
    aggregator.open_round(2)
    assert aggregator.next(UpdateManifest).round == 2


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


def test_a_restart_neither_trains_nor_uploads_an_answered_round(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """The verdict is remembered on the disk; the sessions of the two lives grow."""
    watched = make()
    first = aggregator.next(DeviceState).session
    opened = aggregator.open_round(1)
    watched.next("verdict")
    watched.device.stop()
    assert not aggregator.next(DeviceState, where=lambda state: not state.online).online
    again = make()
    assert again.next("round")["invited"]
    assert aggregator.next(DeviceState, where=lambda state: state.online).session > first
    aggregator.link.publish(aggregator.topics.round, opened.model_copy(update={"attempt": 2}).encode(), retain=True)
    assert again.next("round")["attempt"] == 2
    aggregator.open_round(2)
    assert again.next("training")["round"] == 2


def test_garbage_from_the_network_is_said_and_survived(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """A round, a reply and a server state that are none do not end the device; one line is enough for them."""
    watched = make()
    watched.next("connected")
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
        device._on_message(Message(topic=device._topics.round, payload=round_message, retain=False, qos=1))
        chunk = device._topics.blob_chunk("0" * 64, number)
        device._on_message(Message(topic=chunk, payload=bytes(96 * 1024), retain=False, qos=1))
    assert device._backlog.passed_over > 600
    device.start()
    assert watched.next("round")["round"] == 1000


def test_any_error_of_ours_is_survived(aggregator: ScriptedAggregator, make: Callable[..., Watched]) -> None:
    """Whatever kind of error a stranger's message leads to, the device says it and goes on."""

    def break_down() -> None:
        raise ModelError("a program of another kind")

    watched = make()
    watched.next("connected")
    watched.device._queue.put(break_down)
    assert watched.next("trouble")["reason"] == "a program of another kind"
    aggregator.open_round(1)
    assert watched.next("verdict")["verdict"] == "accepted"


def test_the_newest_weights_are_adopted_and_worse_ones_kept_out(
    aggregator: ScriptedAggregator, make: Callable[..., Watched], tmp_path: Path
) -> None:
    """Random weights are not adopted, trained ones are, and random ones after them are kept out."""
    watched = make(adopt=True, samples=bars(300))
    aggregator.open_round(1, plan=TrainingPlan(local_epochs=3, lr=0.02))
    good = aggregator.whole()
    aggregator.open_round(2, weights=good)
    adopted = watched.next("adopted")
    assert adopted["weights_sha256"] == sha256_of(good)
    shelf = WeightsShelf(tmp_path / "kitchen" / "weights")
    assert shelf.read() == good
    bad = encode_tensors(initial_weights(aggregator.bundle.manifest, seed=99))
    aggregator.open_round(2, phase="finished", weights=bad)
    kept_out = watched.next("kept_out")
    assert kept_out["accuracy"] < kept_out["accuracy_before"]
    assert shelf.read() == good


def test_a_device_without_samples_is_present_and_idle(
    aggregator: ScriptedAggregator, make: Callable[..., Watched]
) -> None:
    """It says that it has none; samples that are added later let it take part."""
    watched = make(samples=bars(0))
    assert aggregator.next(DeviceState).samples == {}
    aggregator.open_round(1)
    assert watched.next("round")["invited"]
    state = aggregator.next(DeviceState, where=lambda state: state.failure is not None)
    assert state.failure is not None
    assert state.failure.reason == "it holds no samples"
    store: SampleStore = watched.device.open()
    store.add(bars(40), source="canvas")
    watched.device.samples_changed()
    assert watched.next("verdict")["verdict"] == "accepted"
    assert aggregator.next(DeviceState, where=lambda state: state.activity == "idle").failure is None


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


def test_no_broker_is_said_at_once_and_given_up_when_told(make: Callable[..., Watched], unused_port: int) -> None:
    """A device without a broker says why, and with wait_s ends with a BrokerError."""
    watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=1.0)
    assert "no broker listens" in watched.next("broker")["reason"]
    with pytest.raises(BrokerError, match=r"given up after 1 s"):
        watched.device.wait(DEADLINE_S)


def test_a_broker_that_comes_late_is_found(make: Callable[..., Watched], unused_port: int, tmp_path: Path) -> None:
    """With a wait_s of 0 a device waits for as long as it takes."""
    from deploy.brokers import start_broker

    watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=0.0)
    watched.next("broker")
    with start_broker("mosquitto", folder=tmp_path / "late", port=unused_port):
        watched.next("connected")
    assert watched.next("disconnected")["reason"]


def test_a_broker_that_refuses_ends_the_device(make: Callable[..., Watched], unused_port: int, tmp_path: Path) -> None:
    """A device that a broker turns away does not wait: that does not mend itself."""
    from deploy.brokers.mosquitto import executable

    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {unused_port} 127.0.0.1\nallow_anonymous false\n")
    mosquitto = executable()
    assert mosquitto is not None
    with subprocess.Popen([mosquitto, "-c", config], stderr=subprocess.DEVNULL) as broker:
        try:
            watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=0.9 * DEADLINE_S)
            with pytest.raises(BrokerError, match="does not authorise this client") as caught:
                watched.device.wait(DEADLINE_S)
            assert "given up" not in str(caught.value)
        finally:
            broker.terminate()


def test_two_devices_on_one_folder(make: Callable[..., Watched]) -> None:
    """The second is refused in one line."""
    make()
    with pytest.raises(RunError, match="in use by another device"):
        make()


def test_devices_of_one_process_share_a_trainer(
    aggregator: ScriptedAggregator, make: Callable[..., Watched], tmp_path: Path
) -> None:
    """Both take part, one after the other, and get the weights that each would get alone."""
    one = make()
    two = make(name="cellar", folder=tmp_path / "cellar")
    aggregator.open_round(1, invited=("cellar", "kitchen"))
    blobs = {sha256_of(aggregator.whole()) for _ in range(2)}
    one.device.stop()
    two.device.stop()
    assert len(blobs) == 2
    alone = make(folder=tmp_path / "again")
    aggregator.open_round(1, run="again")
    assert sha256_of(aggregator.whole()) in blobs
    assert alone.next("verdict")["verdict"] == "accepted"


def test_a_presence_that_was_lost_is_said_again(
    aggregator: ScriptedAggregator,
    make: Callable[..., Watched],
    mosquitto: RunningBroker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Acknowledged, and lost on its way: an unchanged state is repeated, so that no round does without the device."""
    monkeypatch.setattr("edge_client.presence.REPEAT_S", 0.2)
    with Proxy(mosquitto.address, rng=np.random.default_rng(1)) as line:
        line.set(Line(lose=1.0, touches=lambda topic: topic.endswith("/state")))
        make(broker=str(line.address)).next("connected")
        while not line.counts["up"].lost:
            time.sleep(0.01)
        line.set(Line())
        assert aggregator.next(DeviceState).online
