"""A device that cannot train, or is not there, costs its round as little as can be."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from shared.errors import RunError
from shared.messages import DeviceState, RoundManifest
from shared.tensors import encode_tensors, sha256_of
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Running, expected_weights
from tests.hasty_clock import ROUND_S, Hasty
from tflite_models.bundle import ModelBundle


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
    clock = Hasty()
    running = serve(rounds=1, min_devices=2, deadline_s=ROUND_S, grace_s=0.1, clock=clock)
    assert training.wait(DEADLINE_S)
    dying.vanish()
    running.until("device", device="b", online=False)
    clock.rush(by_s=ROUND_S)
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
    clock = Hasty()
    running = serve(rounds=2, min_devices=3, deadline_s=ROUND_S, grace_s=0.5, clock=clock)
    assert running.until("opened", attempt=1)["invited"] == ["a", "ghost", "spectre"]
    running.until("update", device="a", verdict="accepted")
    clock.rush(by_s=ROUND_S)
    assert running.until("opened", attempt=2)["invited"] == ["a"]
    assert running.until("opened", round=2)["attempt"] == 1
    expected = encode_tensors(expected_weights(model, rounds=2, samples={"a": 100}))
    assert running.end().weights_sha256 == sha256_of(expected)
    for topic in ghosts:
        device.link.publish(topic, b"", retain=True)
    assert device.link.flush(DEADLINE_S)
