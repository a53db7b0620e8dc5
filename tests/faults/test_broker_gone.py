"""The broker is killed and comes back, with its memory and without, soon and late."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from deploy.chaos.broker import MortalBroker
from shared.mqtt import Backoff
from tests.faults.network_fleet import FleetAt, every_update_counted_once
from tests.faults.process_fleet import NAMES
from tests.hasty_clock import Hasty

MOST_WAIT_S = 5.0
"""However long the broker was gone: nobody waits longer than so many seconds before the next try."""


def test_a_broker_that_is_long_gone_takes_no_deadline_away(
    own_mosquitto: Callable[..., MortalBroker], fleet_at: FleetAt, undisturbed: str
) -> None:
    """Gone for longer than all attempts at a round together: the round goes on where it was, and nothing is lost."""
    broker, clock = own_mosquitto(), Hasty()
    fleet = fleet_at(broker)
    devices = fleet.devices(*NAMES)
    aggregator = fleet.aggregator(deadline_s=60.0, max_attempts=2, more={"clock": clock})
    devices[0].until("trained", round=1)
    broker.kill()
    aggregator.until("broker", connected=False)
    clock.rush(by_s=200.0)
    broker.revive(remembering=True)
    aggregator.until("broker", connected=True)
    assert aggregator.end(within_s=180.0).weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)


@pytest.mark.parametrize(
    ("remembering", "gone_s"),
    [
        pytest.param(True, 0.0, id="memory kept"),
        pytest.param(False, 4.0, id="memory lost"),
        pytest.param(False, 60.0, id="memory lost, gone for a minute", marks=pytest.mark.soak),
    ],
)
def test_the_fleet_goes_on_when_the_broker_is_back(
    own_mosquitto: Callable[..., MortalBroker],
    fleet_at: FleetAt,
    undisturbed: str,
    remembering: bool,
    gone_s: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed in the middle of a round: all are back within seconds, nothing is lost, the weights are the same."""
    waits_s: list[float] = []

    def noted(wait: Callable[..., float]) -> Callable[..., float]:
        def draw(self: Backoff, *given: int, rng: np.random.Generator) -> float:
            waits_s.append(wait(self, *given, rng=rng))
            return waits_s[-1]

        return draw

    for way in ("wait_s", "wait_refused_s"):
        monkeypatch.setattr(Backoff, way, noted(getattr(Backoff, way)))
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
    aggregator.until("broker", connected=True)
    for device in devices:
        device.until("connected")
    assert len(waits_s) >= len(devices) + 1
    assert max(waits_s) <= MOST_WAIT_S
    summary = aggregator.end(within_s=180.0)
    assert summary.weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)
