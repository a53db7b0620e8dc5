"""Broker, aggregator and two devices, each a command in a terminal of its own, as the tutorial has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.brokers.mosquitto import executable as mosquitto_executable
from shared.handwriting import generate
from shared.labels import label_set
from shared.tensors import sha256_of
from tests.e2e.conftest import Command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]


@pytest.mark.parametrize("kind", ["embedded", "mosquitto"])
def test_two_devices_learn_together(
    kind: str, inkfleet: Callable[..., Command], tmp_path: Path, unused_port: int
) -> None:
    """Started in any order, they go through all rounds; Ctrl-C ends the devices and the broker, and leaves nothing."""
    if kind == "mosquitto" and mosquitto_executable() is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    hands = generate(label_set("arithmetic"), writers=3, samples_per_writer=51, seed=1)
    for name, writer in zip(("kitchen", "garden", "test"), hands.writers_by_samples(), strict=True):
        hands.take(hands.writers == writer).save(tmp_path / f"{name}.npz")
    broker = ("--broker", f"mqtt://127.0.0.1:{unused_port}")
    devices = [
        inkfleet("device", *broker, "--name", name, "--data", f"{name}.npz", "--folder", name)
        for name in ("kitchen", "garden")
    ]
    running = inkfleet("broker", "--kind", kind, "--port", unused_port)
    running.wait_for(str(unused_port))
    fleet = ("--min-devices", 2, "--rounds", 2, "--test-data", "test.npz", "--folder", "school", "--linger-s", 0)
    aggregator = inkfleet("aggregator", *broker, *fleet, "--json")
    assert aggregator.end() == 0, aggregator.lines
    events = [json.loads(line) for line in aggregator.out]
    rounds = [event for event in events if event["event"] == "round"]
    assert [one["participants"] for one in rounds] == [2, 2]
    assert events[-1]["event"] == "finished"
    weights = (tmp_path / "school" / "weights.safetensors").read_bytes()
    assert sha256_of(weights) == events[-1]["weights_sha256"] == rounds[-1]["weights_sha256"]
    for command in (*devices, running):
        command.interrupt()
    assert [command.end() for command in (*devices, running)] == [130, 130, 0]
    assert all(command.leaves_nothing() for command in (*devices, running, aggregator))
