"""No broker, or no room on the disk: waited for, said, and no reason to lose a run."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.spool import Spool
from aggregator.workbench import Workbench
from deploy.brokers import start_broker
from shared.errors import BlockedError, BrokerError
from shared.messages import RoundManifest
from shared.tensors import encode_tensors, sha256_of
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Running, expected_weights
from tests.hasty_clock import ROUND_S, Hasty
from tflite_models.bundle import ModelBundle


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
    """An update that cannot be written has no verdict and leaves nothing half-written; the round stays open past its
    deadline, and with room the run goes on.
    """
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if "spool" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    device = devices("a")
    monkeypatch.setattr(os, "fsync", full)
    clock = Hasty()
    running = serve(rounds=1, deadline_s=ROUND_S, max_attempts=1, clock=clock)
    blocked = running.until("blocked")
    assert "No space left on device" in blocked["reason"]
    assert "spool" in blocked["reason"]
    clock.rush(by_s=ROUND_S)
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
