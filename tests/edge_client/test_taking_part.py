"""A device in its fleet's rounds: fetches, trains, uploads, adopts; paused, restarted, or of no use to the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from deploy.brokers import RunningBroker
from edge_client.adoption import WeightsShelf
from edge_client.sample_store import SampleStore
from shared.dataset import Dataset
from shared.messages import DeviceState, TrainingPlan, UpdateManifest, Want
from shared.tensors import encode_tensors, sha256_of
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import ScriptedAggregator
from tests.edge_client.watched import Watched
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import initial_weights


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
        wanted: set[str] = set()
        while wanted != set(aggregator.blobs):
            wanted.add(aggregator.next(Want).sha256)
        assert watched.next("verdict")["verdict"] == "accepted"
        aggregator.open_round(2, weights=encode_tensors(initial_weights(manifest, seed=2)))
        assert watched.next("verdict")["round"] == 2
        wants = [message for _, message in list(aggregator.heard.queue) if isinstance(message, Want)]
        assert len({want.sha256 for want in wants}) <= 1


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
