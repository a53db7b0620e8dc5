"""A whole aggregator, at a real broker: what its rounds result in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.errors import RunError
from shared.messages import RoundManifest
from shared.tensors import Tensors, encode_tensors, sha256_of
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Running, assert_true, expected_weights, handwriting_of, metrics_of
from tests.hasty_clock import Hasty
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import initial_weights


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
    fleet = [devices(name, samples=count, patience_s=DEADLINE_S) for name, count in samples.items()]
    clock = Hasty(standing=True)
    running = serve(handwriting_of(34), rounds=2, min_devices=3, partition="iid", clock=clock)
    for device in fleet:
        assert device.has_last_weights.wait(DEADLINE_S)
    clock.rush(by_s=1.0)
    summary = running.end()
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


def test_weights_that_have_blown_up_end_the_run_in_a_line(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """Finite weights that overflow in the network: the evaluation says that the training has diverged."""

    def explode(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors({name: np.full_like(tensor, 1e30) for name, tensor in weights.items()})

    devices("a", train=explode)
    with pytest.raises(RunError, match=r"the weights of round 1 give no finite loss on the test set.*--lr"):
        serve(handwriting_of(40), rounds=50).end()


def test_a_fleet_too_large_for_a_manifest_is_told_to_invite_fewer(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that devices would refuse to read ends the run, instead of leaving it to wait for them."""
    monkeypatch.setattr("aggregator.round_notice.MAX_MESSAGE_BYTES", 500)
    devices("a")
    with pytest.raises(RunError, match=r"names all 1 devices has [\d,]+ bytes, and devices take 500; .* --per-round"):
        serve(rounds=1).end()


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
