"""The broker is killed and comes back, with its memory and without, soon and late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from deploy.chaos.broker import MortalBroker
from tests.broker_fixtures import Ear
from tests.faults.network_fleet import FleetAt, every_update_counted_once, fleet_at, own_mosquitto
from tests.faults.process_fleet import NAMES, fleet, make_fleet, trainer, undisturbed

__all__ = ["fleet", "fleet_at", "make_fleet", "own_mosquitto", "trainer", "undisturbed"]

BACK_S = 10.0
"""However long the broker was gone: so many seconds after it is back, all are back with it."""


@pytest.mark.parametrize(
    ("remembering", "gone_s"),
    [
        pytest.param(True, 0.0, id="memory kept"),
        pytest.param(False, 4.0, id="memory lost"),
        pytest.param(False, 60.0, id="memory lost, gone for a minute", marks=pytest.mark.soak),
    ],
)
def test_the_fleet_goes_on_when_the_broker_is_back(
    own_mosquitto: Callable[..., MortalBroker], fleet_at: FleetAt, undisturbed: str, remembering: bool, gone_s: float
) -> None:
    """Killed in the middle of a round: all are back within seconds, nothing is lost, the weights are the same."""
    broker = own_mosquitto()
    fleet = fleet_at(broker)
    devices = fleet.devices(*NAMES)
    aggregator = fleet.aggregator()
    devices[0].until("trained", round=1)
    broker.kill()
    for device in devices:
        device.until("disconnected")
    aggregator.until("broker", connected=False)
    # Nothing can be waited for: this is how long it is gone.
    threading.Event().wait(gone_s)
    broker.revive(remembering=remembering)
    back_at = time.monotonic()
    aggregator.until("broker", connected=True)
    for device in devices:
        device.until("connected")
    assert time.monotonic() - back_at <= BACK_S
    summary = aggregator.end(within_s=180.0)
    assert summary.weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)


def test_a_device_whose_place_is_taken_costs_nobody_the_round(
    own_mosquitto: Callable[..., MortalBroker], fleet_at: FleetAt, ear: Callable[..., Ear]
) -> None:
    """Another client with its identifier throws it out and stays: whatever becomes of it, the quorum closes rounds."""
    fleet = fleet_at(own_mosquitto())
    devices = fleet.devices(*NAMES)
    devices[1].until("connected")
    ear(fleet.broker.address, client_id=f"{fleet.fleet}.b").link.start()
    devices[1].until("disconnected")
    aggregator = fleet.aggregator(quorum=1, min_devices=1, grace_s=0.1, deadline_s=5.0)
    assert aggregator.end().finished
    accepted = [(e["round"], e["device"]) for e in aggregator.all if e.get("verdict") == "accepted"]
    assert len(accepted) == len(set(accepted))
    assert {(1, "a"), (2, "a")} <= set(accepted)
