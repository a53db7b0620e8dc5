"""Thousands of hostile messages at a running device, through a real broker."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from deploy.brokers import RunningBroker
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from shared.messages import BlobRef, MessageModel, Reply, RoundManifest, ServerState, UpdateManifest
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import DEADLINE_S, ScriptedAggregator
from tests.hostile.mutation import worsened
from tflite_models.bundle import builtin_bundle

CASES = 6_000
MOST_GROWTH_BYTES = 64 << 20
"""Of this process, which is device and attacker in one, from a warm start to the end."""


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str) -> Iterator[ScriptedAggregator]:
    """Whoever holds the topics of the aggregator: the broker does not tell."""
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=builtin_bundle("arithmetic")) as one:
        yield one


@pytest.fixture
def device(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[tuple[Device, queue.Queue[Any]]]:
    """The device ``kitchen``, and its events."""
    events: queue.Queue[Any] = queue.Queue()
    one = Device(
        DeviceSettings(
            name="kitchen", fleet=fleet_id, folder=tmp_path / "kitchen", broker=str(mosquitto.address), adopt=False
        ),
        on_event=events.put,
        rng=np.random.default_rng(3),
    )
    one.open().add(bars(60), source="test")
    one.start()
    yield one, events
    one.stop()


def hostile(aggregator: ScriptedAggregator, good: RoundManifest, *, rng: np.random.Generator) -> tuple[str, bytes]:
    """Draw one hostile message on a topic that the device listens to."""
    topics = aggregator.topics
    huge = BlobRef(sha256=rng.bytes(32).hex(), size_bytes=1 << 31, chunk_bytes=1 << 28)
    kind = int(rng.integers(0, 7))
    if kind == 0:
        return topics.round, worsened(good.encode(), rng=rng)
    if kind == 1:
        changes: list[dict[str, Any]] = [
            {"weights": huge},
            {"model": good.model.model_copy(update={"program": huge, "manifest": huge})},
            {"round": 1 << 31, "rounds": 0},
            {"deadline_unix_s": 1e308},
            {"invited": tuple(f"d{i}" for i in range(5000))},
            {"phase": "finished", "weights": huge},
        ]
        return topics.round, good.model_copy(update=changes[int(rng.integers(0, len(changes)))]).encode()
    if kind == 2:
        reply = Reply(run=good.run, round=1, sha256=rng.bytes(32).hex(), verdict="lacking", ranges=((0, 1 << 40),))
        return topics.reply("kitchen"), worsened(reply.encode(), rng=rng)
    if kind == 3:
        return topics.server_state, worsened(ServerState(online=True, session=1 << 61).encode(), rng=rng)
    if kind == 4:
        index = int(rng.integers(0, 40))
        return topics.blob_chunk(good.weights.sha256, index), rng.bytes(int(rng.integers(0, 2000)))
    if kind == 5:
        return topics.blob_chunk(huge.sha256, int(rng.integers(0, 10**7))), b"x"
    return topics.round, rng.bytes(int(rng.integers(0, 300)))


def test_it_takes_part_in_the_next_true_round(
    aggregator: ScriptedAggregator, device: tuple[Device, queue.Queue[Any]]
) -> None:
    """No message crashes it or fills its memory; when the aggregator has the word again, it trains as ever."""
    _, events = device
    aggregator.open_round(1, run="before")
    _accepted(events, run="before")
    process, rng = psutil.Process(), np.random.default_rng(5)
    warm = process.memory_info().rss
    good = aggregator.open_round(1, invited=("nobody",))
    for number in range(CASES):
        topic, payload = hostile(aggregator, good, rng=rng)
        aggregator.link.publish(topic, payload, retain=number % 50 == 0)
    assert aggregator.link.flush(DEADLINE_S)
    _listen_to(aggregator)
    aggregator.open_round(7, run="true")
    assert aggregator.next(UpdateManifest, where=lambda update: update.run == "true").round == 7
    assert process.memory_info().rss - warm < MOST_GROWTH_BYTES
    _accepted(events, run="true")


def _accepted(events: queue.Queue[Any], *, run: str) -> None:
    """Wait for the verdict on the device's part in a run."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        event = events.get(timeout=max(0.01, deadline - time.monotonic()))
        if event["event"] == "verdict" and event["run"] == run:
            assert event["verdict"] == "accepted"
            return


def _listen_to(aggregator: ScriptedAggregator) -> None:
    """Forget what was heard so far."""
    heard: queue.Queue[tuple[Any, MessageModel]] = aggregator.heard
    while not heard.empty():
        heard.get_nowait()
