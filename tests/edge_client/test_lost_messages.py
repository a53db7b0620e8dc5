"""Whatever is lost between a device and its aggregator is said, or asked for, again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deploy.brokers import RunningBroker
from deploy.chaos.line import Line
from deploy.chaos.proxy import Proxy
from shared.messages import DeviceState, UpdateManifest, Want
from shared.transfer import indices_of
from tests.edge_client.scripted_aggregator import ScriptedAggregator
from tests.edge_client.watched import Watched


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
