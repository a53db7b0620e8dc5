"""A whole aggregator, at a real broker, with devices that speak the protocol."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aggregator.broadcast import Broadcast
from aggregator.fleet_link import FleetLink
from aggregator.reception import Reception
from aggregator.run import shapes_of
from aggregator.sender import Sender
from aggregator.service import Aggregator, RunSummary
from aggregator.settings import AggregatorSettings
from aggregator.spool import Spool
from aggregator.workbench import Workbench
from deploy.brokers import RunningBroker, start_broker
from shared.dataset import Dataset
from shared.errors import BlockedError, BrokerError, DataError, ModelError, RunError
from shared.labels import label_set
from shared.messages import DeviceState, RoundManifest, ServerState
from shared.mqtt import Message, MqttLink
from shared.tensors import Tensors, encode_tensors, sha256_of
from shared.topics import Topics
from tests.aggregator.fake_device import FakeDevice, noisy
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import initial_weights

DEADLINE_S = 40.0
Event = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> ModelBundle:
    return builtin_bundle("arithmetic")


@pytest.fixture
def devices(mosquitto: RunningBroker, fleet_id: str, model: ModelBundle) -> Iterator[Callable[..., FakeDevice]]:
    """Start devices that are stopped when the test is over."""
    started: list[FakeDevice] = []

    def start(name: str, *, broker: RunningBroker = mosquitto, **options: Any) -> FakeDevice:
        started.append(
            FakeDevice(broker.address, fleet=fleet_id, name=name, shapes=shapes_of(model), **options).start()
        )
        return started[-1]

    yield start
    for device in started:
        device.stop()


class Running:
    """An aggregator on a thread, and what it says."""

    def __init__(self, settings: AggregatorSettings, model: ModelBundle, test: Dataset | None = None) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.stop = threading.Event()
        self._summary: RunSummary | None = None
        self._error: Exception | None = None
        self._aggregator = Aggregator(settings, model=model, test=test, on_event=self.events.put)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._summary = self._aggregator.run(self.stop)
        except Exception as error:
            self._error = error

    def until(self, kind: str, **fields: Any) -> Event:
        """The next event of this kind with these fields."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event

    def end(self) -> RunSummary:
        """Wait for the end; raise what it raised."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        assert self._summary is not None
        return self._summary


@pytest.fixture
def serve(
    mosquitto: RunningBroker, fleet_id: str, model: ModelBundle, tmp_path: Path
) -> Iterator[Callable[..., Running]]:
    """Start aggregators that are stopped when the test is over."""
    started: list[Running] = []

    def start(test: Dataset | None = None, **options: Any) -> Running:
        defaults: dict[str, Any] = {
            "broker": str(mosquitto.address),
            "fleet": fleet_id,
            "folder": tmp_path / "run",
            "gather_ms": 10,
            "grace_s": 2.0,
            "linger_s": 2.0,
            "seed": 7,
        }
        started.append(Running(AggregatorSettings(**(defaults | options)), model, test))
        return started[-1]

    yield start
    for running in started:
        running.stop.set()
        running._thread.join(DEADLINE_S)


def handwriting_of(count: int) -> Dataset:
    """Noise with labels: enough to be evaluated."""
    rng = np.random.default_rng(0)
    labels = np.array((list(label_set("arithmetic").labels) * count)[:count])
    return Dataset(rng.integers(0, 256, (count, 45, 45), np.uint8), labels, np.array([""] * count))


def metrics_of(folder: Path) -> list[Event]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def expected_weights(model: ModelBundle, *, rounds: int, samples: dict[str, int], seed: int = 7) -> Tensors:
    """FedAvg of what the fake devices answer, worked out apart from the aggregator."""
    weights = initial_weights(model.manifest, seed=seed)
    total = sum(samples.values())
    for number in range(1, rounds + 1):
        sums = {key: np.zeros(tensor.shape, np.float64) for key, tensor in weights.items()}
        for name in sorted(samples):
            for key, tensor in noisy(weights, seed=seed, round_number=number, device=name).items():
                sums[key] += tensor.astype(np.float64) * samples[name]
        weights = {key: (tensor / total).astype(np.float32) for key, tensor in sums.items()}
    return weights


def test_a_device_that_claims_a_million_samples_does_not_own_the_mean(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle, tmp_path: Path
) -> None:
    """It weighs four times the median claim, and its claim is in the account."""
    for name, count in {"a": 100, "b": 50, "c": 1_000_000}.items():
        devices(name, samples=count)
    summary = serve(rounds=1, min_devices=3, sample_cap=4.0).end()
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"a": 100, "b": 50, "c": 400}))
    assert summary.weights.read_bytes() == expected
    measured = metrics_of(tmp_path / "run")[0]["aggregation"]
    assert measured["weight_cap"] == 400
    assert measured["by_device"] == {"capped_samples": {"c": 1_000_000}}


def test_rounds_end_to_end(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle, tmp_path: Path
) -> None:
    """Two rounds of three devices give FedAvg's weights, a line of metrics each, and every device the last weights."""
    samples = {"a": 100, "b": 50, "c": 7}
    fleet = [devices(name, samples=count) for name, count in samples.items()]
    summary = (running := serve(handwriting_of(34), rounds=2, min_devices=3, partition="iid")).end()
    expected = encode_tensors(expected_weights(model, rounds=2, samples=samples))
    assert summary.finished
    assert summary.weights.read_bytes() == expected
    assert summary.weights_sha256 == sha256_of(expected)
    lines = metrics_of(tmp_path / "run")
    assert [line["round"] for line in lines] == [1, 2]
    for line in lines:
        assert line["partition"] == "iid"
        assert (line["participants"], line["samples"]) == (3, 157)
        assert 0 <= line["accuracy"] <= 1
        assert line["wall_s"] >= line["outside_training_s"] >= 0
        # Three updates up; the weights once each down; manifests and headers besides.
        assert 3 * len(expected) < line["bytes_up"] < 3 * len(expected) * 1.01
        assert 3 * len(expected) < line["bytes_down"] < 3 * len(expected) * 1.01
    assert lines[1]["weights_sha256"] == summary.weights_sha256
    kinds = [event["event"] for event in list(running.events.queue)]
    assert kinds[-1] == "finished"
    assert kinds.count("update") == 6
    for device in fleet:
        assert [reply.verdict for reply in device.verdicts.queue] == ["accepted", "accepted"]
        assert device.weights_sha256 == summary.weights_sha256


def test_the_order_of_arrival_changes_nothing(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle, tmp_path: Path
) -> None:
    """Updates that arrive in the reverse order of the names give the same bytes as the formula."""
    turn = {name: threading.Event() for name in "abc"}
    turn["c"].set()

    def hold(name: str) -> Callable[[RoundManifest], None]:
        return lambda manifest: assert_true(turn[name].wait(DEADLINE_S))

    fleet = {name: devices(name, samples=10, before_upload=hold(name)) for name in "abc"}
    running = serve(rounds=1, min_devices=3)
    for name, following in (("c", "b"), ("b", "a")):
        running.until("update", device=name, verdict="accepted")
        turn[following].set()
    assert fleet
    expected = encode_tensors(expected_weights(model, rounds=1, samples=dict.fromkeys("abc", 10)))
    assert running.end().weights_sha256 == sha256_of(expected)


def assert_true(value: bool) -> None:
    assert value


def test_lost_chunks_are_asked_for(serve: Callable[..., Running], devices: Callable[..., FakeDevice]) -> None:
    """A device whose chunks were lost is told which, sends them again, and is accepted."""
    device = devices("a", lose={2, 3, 9})
    serve(rounds=1, quiet_s=0.2).end()
    replies = list(device.replies.queue)
    assert [reply.verdict for reply in replies] == ["lacking", "accepted"]
    assert replies[0].ranges == ((2, 4), (9, 10))


@pytest.mark.parametrize(("garble", "verdicts"), [(2, "lacking lacking accepted"), (3, "lacking lacking rejected")])
def test_a_damaged_update_is_asked_for_again(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], garble: int, verdicts: str
) -> None:
    """Bytes of another hash are lacking, not rejected, until the third time."""
    device = devices("a", garble=garble)
    running = serve(rounds=1)
    verdict = device.verdicts.get(timeout=DEADLINE_S)
    assert [reply.verdict for reply in device.replies.queue] == verdicts.split()
    if verdict.verdict == "accepted":
        running.end()
    else:
        assert "do not have the hash" in verdict.reason


def test_repeats_and_second_updates_have_their_verdict(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """While the round waits for another device: the same again is a duplicate, another is rejected; both count once."""
    held = threading.Event()
    devices("b", before_upload=lambda manifest: assert_true(held.wait(DEADLINE_S)))
    device = devices("a")
    running = serve(rounds=1, min_devices=2)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "accepted"
    assert device._answered is not None
    manifest, data = device._answered
    device.upload(manifest, data)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "duplicate"
    other = manifest.model_copy(update={"blob": manifest.blob.model_copy(update={"sha256": "a" * 64})})
    device.upload(other, data)
    refused = device.verdicts.get(timeout=DEADLINE_S)
    assert (refused.verdict, refused.reason) == ("rejected", "another update of this device counts in round 1 already")
    held.set()
    assert running.until("round")["participants"] == 2
    device.upload(manifest, data)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "duplicate"
    running.end()


def test_bad_updates_are_rejected_in_words_and_the_round_goes_on(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle
) -> None:
    """NaN, another model's tensors and too many samples do not count; the good device's update does."""

    def broken(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors({name: tensor * np.float32("nan") for name, tensor in weights.items()})

    def other(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors(dict(list(weights.items())[1:]))

    bad = {"nan": devices("nan", train=broken), "other": devices("other", train=other)}
    devices("good")
    running = serve(rounds=1, min_devices=3, quorum=1, deadline_s=3.0, max_samples=1000)
    reasons = {name: device.verdicts.get(timeout=DEADLINE_S) for name, device in bad.items()}
    assert {reply.verdict for reply in reasons.values()} == {"rejected"}
    assert "expected finite values" in reasons["nan"].reason
    assert "lacking" in reasons["other"].reason
    summary = running.end()
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"good": 100}))
    assert summary.weights_sha256 == sha256_of(expected)


def test_a_device_that_cannot_train_costs_no_deadline(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle
) -> None:
    """It says why, and the round is opened again without it at once, the others' updates kept."""
    devices("a")
    failing = devices("b", trouble="the disk is full\x1b[2J")
    running = serve(rounds=1, min_devices=2, deadline_s=600.0)
    declined = running.until("declined")
    assert (declined["device"], declined["round"], declined["attempt"]) == ("b", 1, 1)
    assert declined["reason"] == "the disk is full [2J"
    assert running.until("opened")["invited"] == ["a"]
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"a": 100}))
    assert running.end().weights_sha256 == sha256_of(expected)
    assert failing.rounds == [(1, 1)]


def test_a_fleet_that_cannot_train_ends_the_run_with_its_reason(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """Nobody can: no deadline is waited for, and the run's error says what the devices said."""
    for name in "ab":
        devices(name, trouble="the round asks for batches of 999 samples")
    running = serve(rounds=1, min_devices=2, quorum=1, deadline_s=600.0, max_attempts=2)
    with pytest.raises(RunError, match=r"2 attempts; a, b cannot take part: the round asks for batches of 999"):
        running.end()


def test_a_vanished_device_costs_one_deadline(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle
) -> None:
    """A device that dies in its training is left out of the second attempt, which the others have answered already."""
    training, released = threading.Event(), threading.Event()

    def train_for_ever(manifest: RoundManifest) -> None:
        training.set()
        assert released.wait(DEADLINE_S)

    dying = devices("b", before_upload=train_for_ever)
    devices("a")
    running = serve(rounds=1, min_devices=2, deadline_s=2.0, grace_s=0.1)
    assert training.wait(DEADLINE_S)
    dying.vanish()
    assert running.until("opened", attempt=2)["invited"] == ["a"]
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"a": 100}))
    assert running.end().weights_sha256 == sha256_of(expected)
    released.set()


def test_a_state_that_outlived_its_device_costs_one_deadline(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle
) -> None:
    """Devices that the broker still holds for online, and that never say a word, are left out of the second attempt."""
    device = devices("a")
    ghosts = [device.topics.device_state(name) for name in ("ghost", "spectre")]
    for topic in ghosts:
        state = DeviceState(online=True, session=1, samples={"1": 9})
        device.link.publish(topic, state.encode(), retain=True)
    assert device.link.flush(DEADLINE_S)
    running = serve(rounds=2, min_devices=3, deadline_s=2.0, grace_s=0.5)
    assert running.until("opened", attempt=1)["invited"] == ["a", "ghost", "spectre"]
    assert running.until("opened", attempt=2)["invited"] == ["a"]
    assert running.until("opened", round=2)["attempt"] == 1
    expected = encode_tensors(expected_weights(model, rounds=2, samples={"a": 100}))
    assert running.end().weights_sha256 == sha256_of(expected)
    for topic in ghosts:
        device.link.publish(topic, b"", retain=True)
    assert device.link.flush(DEADLINE_S)


def test_stopping_says_offline_and_resuming_gives_the_same_bytes(
    serve: Callable[..., Running],
    devices: Callable[..., FakeDevice],
    model: ModelBundle,
    mosquitto: RunningBroker,
    ear: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A run that is stopped in its second round goes on with what counted there, and ends as if never stopped."""
    held = threading.Event()

    def hold(manifest: RoundManifest) -> None:
        if manifest.round == 2:
            assert held.wait(DEADLINE_S)

    first = devices("a", samples=30)
    devices("b", samples=20, before_upload=hold)
    running = serve(handwriting_of(17), rounds=3, min_devices=2)
    running.until("update", round=2, device="a")
    running.stop.set()
    summary = running.end()
    assert (summary.finished, summary.rounds) == (False, 1)
    listener = ear(mosquitto.address).up(first.topics.server_state)
    state = ServerState.model_validate_json(listener.next().payload)
    assert not state.online
    with pytest.raises(RunError, match=r"ended after 1 of 3 rounds; add --resume to go on with it"):
        serve(rounds=3).end()
    running = serve(handwriting_of(17), rounds=3, min_devices=2, resume=True)
    assert running.until("opened")["round"] == 2
    held.set()
    expected = encode_tensors(expected_weights(model, rounds=3, samples={"a": 30, "b": 20}))
    assert running.end().weights_sha256 == sha256_of(expected)
    assert [line["round"] for line in metrics_of(tmp_path / "run")] == [1, 2, 3]
    assert first.rounds == [(1, 1), (2, 1), (3, 1)]


def test_killed_at_any_moment_it_resumes_to_the_same_bytes(
    devices: Callable[..., FakeDevice], model: ModelBundle, mosquitto: RunningBroker, fleet_id: str, tmp_path: Path
) -> None:
    """kill -9 after updates, closing and opening: the command with --resume ends with the same weights."""
    test = tmp_path / "test.npz"
    handwriting_of(17).save(test)
    for name, samples in (("a", 30), ("b", 20), ("c", 10)):
        devices(name, samples=samples)
    # fmt: off
    arguments = [
        sys.executable, "-m", "deploy", "aggregator", "--json", "--broker", str(mosquitto.address),
        "--fleet", fleet_id, "--folder", str(tmp_path / "run"), "--rounds", "5", "--min-devices", "3", "--seed", "7",
        "--grace-s", "3", "--gather-ms", "10", "--linger-s", "1", "--test-data", str(test),
    ]
    # fmt: on
    kills = [("update", 1), ("closed", 2), ("opened", 3), ("update", 4)]
    seen: list[Event] = []
    for moment in [*kills, None]:
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                seen.append(json.loads(line))
                if moment is not None and (seen[-1]["event"], seen[-1].get("round")) == moment:
                    process.send_signal(signal.SIGKILL)
                    break
        if moment is not None:
            assert process.returncode == -signal.SIGKILL
            assert len({event["run"] for event in seen if event["event"] == "listening"}) == 1
        if "--resume" not in arguments:
            arguments.append("--resume")
    assert process.returncode == 0
    expected = encode_tensors(expected_weights(model, rounds=5, samples={"a": 30, "b": 20, "c": 10}))
    assert seen[-1]["event"] == "finished"
    assert seen[-1]["weights_sha256"] == sha256_of(expected)
    assert [line["round"] for line in metrics_of(tmp_path / "run")] == [1, 2, 3, 4, 5]
    accepted = [(e["round"], e["device"]) for e in seen if e["event"] == "update" and e["verdict"] == "accepted"]
    assert len(accepted) == len(set(accepted)), "no device counts twice in a round"


def test_a_broker_that_dies_is_waited_for(
    devices: Callable[..., FakeDevice],
    serve: Callable[..., Running],
    model: ModelBundle,
    unused_port: int,
    tmp_path: Path,
) -> None:
    """The broker is killed in a round and started again: the aggregator says so, and the run ends as it would have."""
    released = threading.Event()

    def hold(manifest: RoundManifest) -> None:
        assert released.wait(DEADLINE_S)

    with start_broker("mosquitto", folder=tmp_path / "b1", port=unused_port) as broker:
        for name in "ab":
            devices(name, broker=broker, before_upload=hold)
        running = serve(broker=str(broker.address), rounds=1, min_devices=2)
        running.until("opened")
    running.until("broker", connected=False)
    with start_broker("mosquitto", folder=tmp_path / "b2", port=unused_port):
        running.until("broker", connected=True)
        released.set()
        expected = encode_tensors(expected_weights(model, rounds=1, samples={"a": 100, "b": 100}))
        assert running.end().weights_sha256 == sha256_of(expected)


def test_a_run_that_is_done_does_not_wait_for_its_broker(
    devices: Callable[..., FakeDevice],
    serve: Callable[..., Running],
    unused_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The broker dies for good before the last weights are written: they are, and the aggregator ends."""
    average = Workbench.average
    with contextlib.ExitStack() as broken:
        broker = broken.enter_context(start_broker("mosquitto", folder=tmp_path / "b1", port=unused_port))

        def without_a_broker(*given: Any, **named: Any) -> None:
            broken.close()
            average(*given, **named)

        monkeypatch.setattr(Workbench, "average", without_a_broker)
        devices("a", broker=broker)
        assert serve(broker=str(broker.address), rounds=1, linger_s=0.4).end().finished


def test_a_full_disk_is_waited_for_and_nothing_is_acknowledged_meanwhile(
    serve: Callable[..., Running],
    devices: Callable[..., FakeDevice],
    model: ModelBundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An update that cannot be written has no verdict and leaves nothing half-written; with room the run goes on."""
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if "spool" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    device = devices("a")
    monkeypatch.setattr(os, "fsync", full)
    running = serve(rounds=1, deadline_s=1.0)
    blocked = running.until("blocked")
    assert "No space left on device" in blocked["reason"]
    assert "spool" in blocked["reason"]
    assert device.replies.empty()
    assert not [path for path in (tmp_path / "run" / "spool").rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert running.until("unblocked")["reason"] == blocked["reason"]
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"a": 100}))
    assert running.end().weights_sha256 == sha256_of(expected)


def test_waiting_for_room_ends_with_the_run(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stops an aggregator that waits for room on the disk does not wait with it."""

    def full(self: Spool, data: bytes, **where: Any) -> None:
        raise BlockedError("cannot write it: No space left on device")

    devices("a")
    monkeypatch.setattr(Spool, "put", full)
    running = serve(rounds=1)
    running.until("blocked")
    running.stop.set()
    assert not running.end().finished


def test_a_broker_that_is_absent_is_an_error_in_bounded_time(serve: Callable[..., Running], unused_port: int) -> None:
    """Nothing listens: one line, after connect_s."""
    running = serve(broker=f"mqtt://127.0.0.1:{unused_port}", connect_s=0.5)
    with pytest.raises(BrokerError, match=str(unused_port)):
        running.end()


def test_what_cannot_be_begun_or_resumed_says_why(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle, tmp_path: Path
) -> None:
    """No run, an unfinished one, other settings, too few devices, no usable label, other weights: one line each."""
    with pytest.raises(RunError, match="has no run to resume; leave out --resume"):
        serve(resume=True).end()
    letters = Dataset(np.zeros((2, 45, 45), np.uint8), np.array(["A", "B"]), np.array(["", ""]))
    with pytest.raises(DataError, match="the test data has no sample of the labels 'arithmetic'; it has A, B"):
        serve(letters).end()
    (tmp_path / "w.safetensors").write_bytes(encode_tensors({"odd": np.zeros(3, np.float32)}))
    with pytest.raises(ModelError, match="another model"):
        serve(weights=tmp_path / "w.safetensors").end()
    with pytest.raises(RunError, match=r"round 1 needs 2 devices with samples, 0 came in 0\.2 s"):
        serve(min_devices=2, wait_s=0.2).end()
    # A run that nothing came of stands in nobody's way.
    with pytest.raises(RunError, match=r"round 1 needs 1 device with samples, 0 came in 0\.2 s"):
        serve(wait_s=0.2).end()
    with pytest.raises(RunError, match=r"was started with --lr 0\.05 \(now 0\.1\), --seed 7 \(now 8\); resume with"):
        serve(resume=True, lr=0.1, seed=8).end()


def test_rubbish_and_rivals_are_told_and_change_nothing(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], tmp_path: Path
) -> None:
    """Messages that break the protocol are passed over; another aggregator of the fleet is named."""
    device = devices("a")
    assert device.link.flush(DEADLINE_S)
    running = serve(rounds=1, min_devices=2)
    running.until("device", device="a")
    root = device.topics.root
    for topic in ("device/a/update", "device/a/want", "device/x/state", "device/a/chunk/zz/1", "device/.x/want"):
        device.link.publish(f"{root}/{topic}", b'{"run": ')
    assert "device/a/update" in running.until("dropped")["reason"]
    device.publish(device.topics.server_state, ServerState(online=True, session=5))
    assert running.until("rival")["session"] == 5
    devices("b")
    assert running.end().finished


def test_absurd_numbers_are_passed_over(serve: Callable[..., Running], devices: Callable[..., FakeDevice]) -> None:
    """Messages of the right form, with numbers that no database and no float holds, do not end the run."""
    huge = 10**400
    loss = {"loss": 1e308, "accuracy": 0.5, "samples": 99}

    def lie(manifest: RoundManifest) -> None:
        update = json.loads(device.manifest_for(manifest, b"x").encode())
        for change in (
            {"round": 10**30},
            {"metrics": {"train": loss}},
            {"metrics": {"train": loss | {"samples": huge}}},
        ):
            device.link.publish(device.topics.update("a"), json.dumps(update | change).encode())
        state = {"online": True, "session": 1 << 60, "samples": {"1": huge}}
        device.link.publish(device.topics.device_state("a"), json.dumps(state).encode())

    device = devices("a", before_upload=lie)
    summary = serve(rounds=2).end()
    assert summary.finished


def test_weights_that_have_blown_up_end_the_run_in_a_line(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """Finite weights that overflow in the network: the evaluation says that the training has diverged."""

    def explode(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors({name: np.full_like(tensor, 1e30) for name, tensor in weights.items()})

    devices("a", train=explode)
    with pytest.raises(RunError, match=r"the weights of round 1 give no finite loss on the test set.*--lr"):
        serve(handwriting_of(40), rounds=50).end()


def test_a_flood_of_replies_does_not_crowd_out_a_retained_message(
    mosquitto: RunningBroker, fleet_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more control messages than may wait, replies are dropped, and the round's manifest is not."""
    monkeypatch.setattr("aggregator.sender._MOST_CONTROLS", 5)
    topics = Topics(fleet_id)
    heard: queue.Queue[Message] = queue.Queue()

    def listen(link: MqttLink) -> None:
        link.subscribe(topics.round, topics.reply("a"))
        link.wait_connected(DEADLINE_S)
        assert link.flush(DEADLINE_S)

    def link(name: str) -> MqttLink:
        return MqttLink(
            mosquitto.address, client_id=f"{fleet_id}-{name}", on_message=heard.put, on_connect=lambda: None
        )

    with link("sender") as sending, link("listener") as listening:
        listen(listening)
        sending.wait_connected(DEADLINE_S)
        sender = Sender(
            sending,
            topics=topics,
            broadcast=Broadcast(gather_s=0.0),
            clock=time.monotonic,
            on_failure=lambda error: pytest.fail(str(error)),
        )
        sender.control(topics.round, b"1", retain=True)
        for _ in range(20):
            sender.control(topics.reply("a"), b"r")
        sender.control(topics.round, b"2", retain=True)
        sender.start()
        said = [heard.get(timeout=DEADLINE_S).payload for _ in range(6)]
        sender.stop(timeout_s=DEADLINE_S)
    assert said == [b"1", b"r", b"r", b"r", b"r", b"2"]


def test_a_fleet_too_large_for_a_manifest_is_told_to_invite_fewer(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that devices would refuse to read ends the run, instead of leaving it to wait for them."""
    monkeypatch.setattr("aggregator.round_notice.MAX_MESSAGE_BYTES", 500)
    devices("a")
    with pytest.raises(RunError, match=r"names all 1 devices has [\d,]+ bytes, and devices take 500; .* --per-round"):
        serve(rounds=1).end()


def test_refusals_without_end_do_not_fill_the_log(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is told of the first refused updates of a round, and not of the others."""
    monkeypatch.setattr("aggregator.reception._MOST_REFUSALS_SAID", 3)
    device = devices("a")

    def pester(manifest: RoundManifest) -> None:
        for number in range(10):
            device.publish(device.topics.update("x"), device.manifest_for(manifest, b"%d" % number))

    device._before_upload = pester
    running = serve(rounds=1)
    running.end()
    said = [event for event in running.events.queue if event["event"] == "update" and event["device"] == "x"]
    assert len(said) == 3


def test_rivals_without_end_do_not_fill_the_log(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is told of the first rivals, of each of them once."""
    monkeypatch.setattr("aggregator.fleet_link._MOST_RIVALS", 3)
    device = devices("a")
    running = serve(rounds=1, min_devices=2)
    running.until("device", device="a")
    for number in range(20):
        device.publish(device.topics.server_state, ServerState(online=True, session=1 + number // 2))
    devices("b")
    running.until("rival", session=3)
    running.end()
    assert not [event for event in running.events.queue if event["event"] == "rival"]


def test_given_weights_are_where_the_run_begins(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle, tmp_path: Path
) -> None:
    """--weights starts from a file instead of the seed's first weights."""
    (tmp_path / "w.safetensors").write_bytes(encode_tensors(initial_weights(model.manifest, seed=99)))

    def unchanged(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors(weights)

    devices("a", train=unchanged)
    expected = sha256_of(encode_tensors(initial_weights(model.manifest, seed=99)))
    assert serve(rounds=1, weights=tmp_path / "w.safetensors").end().weights_sha256 == expected


def test_what_a_device_had_the_broker_keep_is_passed_over(
    serve: Callable[..., Running],
    devices: Callable[..., FakeDevice],
    fleet_id: str,
    mosquitto: RunningBroker,
    ear: Callable[..., Any],
) -> None:
    """A retained want, update or chunk comes at every subscription; none is looked at, presence alone is."""
    topics = Topics(fleet_id)
    attacker = ear(mosquitto.address).up()
    kept = [topics.want("eve"), topics.update("eve"), topics.update_chunk("eve", "0" * 64, 0)]
    try:
        for topic in kept:
            attacker.link.publish(topic, b"rubbish", retain=True)
        assert attacker.link.flush(DEADLINE_S)
        devices("ann")
        running = serve(rounds=1, min_devices=1)
        assert running.end().finished
        said = [event["event"] for event in running.events.queue]
        assert "dropped" not in said
    finally:
        for topic in kept:
            attacker.link.publish(topic, b"", retain=True)
        assert attacker.link.flush(DEADLINE_S)


def test_a_device_that_sends_ever_so_slowly_is_let_go_when_its_round_closes(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """It repeats nothing and asks for nothing; it is told, and what came of its update is dropped."""
    slow = devices("slow")
    send = slow._send_chunk
    slow._send_chunk = lambda manifest, data, index: None if index else send(manifest, data, index)  # type: ignore[method-assign]
    may = threading.Event()
    devices("ann", before_upload=lambda manifest: may.wait(DEADLINE_S))
    running = serve(rounds=1, min_devices=2, quorum=1, per_round=1, over_select=1.0, quiet_s=0.2, linger_s=5.0)
    try:
        assert slow.replies.get(timeout=DEADLINE_S).verdict == "lacking"
        may.set()
        told = slow.verdicts.get(timeout=DEADLINE_S)
        assert (told.verdict, told.reason) == ("stale", "round 1 is closed")
        assert running.until("update", device="slow")["verdict"] == "stale"
    finally:
        may.set()


def test_a_device_that_floods_holds_up_nobody(
    serve: Callable[..., Running],
    devices: Callable[..., FakeDevice],
    fleet_id: str,
    mosquitto: RunningBroker,
    ear: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its surplus is dropped and said once by its name; the round of the others goes on."""
    monkeypatch.setattr("aggregator.fleet_link._LANE_BYTES", 4096)
    look, tell, crowded = Reception.message, FleetLink._crowded, threading.Event()

    def look_slowly(self: Reception, message: Message, **more: Any) -> Any:
        if "/eve/" in message.topic:
            crowded.wait(DEADLINE_S)
        return look(self, message, **more)

    def tell_us(self: FleetLink, lane: str) -> None:
        tell(self, lane)
        crowded.set()

    monkeypatch.setattr(Reception, "message", look_slowly)
    monkeypatch.setattr(FleetLink, "_crowded", tell_us)
    topics = Topics(fleet_id)
    attacker = ear(mosquitto.address).up()
    may = threading.Event()
    devices("ann", before_upload=lambda manifest: may.wait(DEADLINE_S))
    running = serve(rounds=1, min_devices=1)
    try:
        running.until("opened")
        for number in range(3000):
            attacker.link.publish(topics.want("eve"), b"rubbish" * 30 + str(number).encode())
        assert attacker.link.flush(DEADLINE_S)
        while "'eve' sends more" not in running.until("dropped")["reason"]:
            pass
        may.set()
        assert running.end().finished
        said = [event["reason"] for event in running.events.queue if event["event"] == "dropped"]
        # Ann's own lane is as narrow, and may overflow for a moment.
        assert not any("'eve' sends more" in reason for reason in said)
    finally:
        may.set()
