"""A run that was stopped or killed goes on where it was, or says why it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.brokers import RunningBroker
from shared.crash_points import VARIABLE
from shared.dataset import Dataset
from shared.errors import DataError, ModelError, RunError
from shared.messages import RoundManifest, ServerState
from shared.tensors import encode_tensors, sha256_of
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Event, Running, expected_weights, handwriting_of, metrics_of
from tflite_models.bundle import ModelBundle


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
    # In rounds 1, 2, 3 and 4.
    points = ["update durable", "round closed:2", "round recorded", "update durable:4"]
    seen: list[Event] = []
    for point in [*points, None]:
        environment = os.environ | ({VARIABLE: point} if point is not None else {})
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            seen += [json.loads(line) for line in process.stdout]
        if point is not None:
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
