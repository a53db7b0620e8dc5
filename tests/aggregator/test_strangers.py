"""Rubbish, rivals and floods: passed over, said in bounds, and nobody is held up by them."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aggregator.broadcast import Broadcast
from aggregator.fleet_link import FleetLink
from aggregator.reception import Reception
from aggregator.sender import Sender
from deploy.brokers import RunningBroker
from shared.messages import RoundManifest, ServerState
from shared.mqtt import Message, MqttLink
from shared.topics import Topics
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Running


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


def test_refusals_without_end_do_not_fill_the_log(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is told of the first refused updates of a round, and not of the others."""
    monkeypatch.setattr("aggregator.answers._MOST_REFUSALS_SAID", 3)
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
