"""Clocks that are wrong, and processes that stand still for a while."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable

import pytest

from shared.messages import DeviceState, ServerState, decode
from shared.topics import Topics
from tests.broker_fixtures import Ear
from tests.faults.process_fleet import NAMES, Fleet

HOUR_S = 3600.0


def hours_off(hours: float) -> dict[str, Callable[[], float]]:
    """A device's clock that is so many hours ahead."""
    return {"unix_clock": lambda: time.time() + hours * HOUR_S}


def test_clocks_that_are_hours_off_change_nothing(fleet: Fleet, undisturbed: str) -> None:
    """One device a day ahead, one in 1970, the aggregator's wall clock back by seven hours: the same weights."""
    fleet.device("a", more=hours_off(26))
    fleet.device("b", more={"unix_clock": lambda: 60.0})
    aggregator = fleet.aggregator(more={"wall_clock": lambda: time.time() - 7 * HOUR_S})
    assert aggregator.end().weights_sha256 == undisturbed
    assert {event["attempt"] for event in aggregator.all if event["event"] == "opened"} == {1}
    lines = [json.loads(line) for line in (fleet.run_folder / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["train_s"] <= line["wall_s"] for line in lines), "durations hold whatever the date"


def test_a_device_whose_numbers_begin_anew_is_heard(fleet: Fleet, undisturbed: str) -> None:
    """Set up anew with a clock that is behind, it is online again, though its connections have lower numbers."""
    fleet.device("a")
    before = fleet.device("b", more=hours_off(26))
    aggregator = fleet.aggregator(min_devices=3, quorum=2)
    aggregator.until("device", device="b", online=True)
    before.stop()
    fleet.device_folder("b").session.unlink()
    fleet.device("b", more=hours_off(-26))
    aggregator.until("device", device="b", online=True)
    aggregator.stop()
    assert fleet.aggregator(quorum=2).end().weights_sha256 == undisturbed


@pytest.mark.soak
def test_a_device_that_stood_still_comes_back(fleet: Fleet, undisturbed: str, ear: Callable[..., Ear]) -> None:
    """Stopped for longer than its keepalive, and going on: it is offline meanwhile, and its update counts."""
    fleet.device("a")
    device = fleet.device_process("b")
    aggregator = fleet.aggregator(deadline_s=600.0)
    device.until("training", round=1)
    device.process.send_signal(signal.SIGSTOP)
    topic = Topics(fleet.fleet).device_state("b")
    listener = ear(fleet.broker.address).up(topic)
    _until_offline(listener, DeviceState)
    device.process.send_signal(signal.SIGCONT)
    assert aggregator.end().weights_sha256 == undisturbed
    assert {event["attempt"] for event in aggregator.all if event["event"] == "opened"} == {1}


@pytest.mark.soak
def test_an_aggregator_that_stood_still_has_lost_no_time(
    fleet: Fleet, undisturbed: str, ear: Callable[..., Ear]
) -> None:
    """Stopped for longer than its keepalive and the round's deadline: the round goes on where it was."""
    with fleet.held_training():
        fleet.devices(*NAMES)
        aggregator = fleet.aggregator_process(deadline_s=20.0)
        aggregator.until("opened", round=1)
        aggregator.process.send_signal(signal.SIGSTOP)
        listener = ear(fleet.broker.address).up(Topics(fleet.fleet).server_state)
        _until_offline(listener, ServerState)
    aggregator.process.send_signal(signal.SIGCONT)
    assert aggregator.end() == 0
    assert aggregator.all[-1]["weights_sha256"] == undisturbed
    assert {event["attempt"] for event in aggregator.all if event["event"] == "opened"} == {1}


def _until_offline(listener: Ear, kind: type[DeviceState] | type[ServerState]) -> None:
    """Wait until the broker has said, in somebody's name, that it is gone."""
    while True:
        message = listener.messages.get(timeout=90.0)
        if not decode(kind, message.payload, topic=message.topic).online:
            return
