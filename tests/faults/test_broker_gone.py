"""The broker is killed and comes back, with its memory and without, soon and late."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from deploy.chaos.broker import MortalBroker
from tests.faults.network_fleet import FleetAt, every_update_counted_once, fleet_at, own_mosquitto
from tests.faults.process_fleet import NAMES, fleet, make_fleet, trainer, undisturbed

__all__ = ["fleet", "fleet_at", "make_fleet", "own_mosquitto", "trainer", "undisturbed"]

BACK_S = 10.0
"""However long the broker was gone: so many seconds after it is back, all are back with it."""


class Hasty:
    """A clock; once it is told to rush, every look at it finds a second more."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._rushing = False
        self._looked = threading.Condition()

    def __call__(self) -> float:
        with self._looked:
            self._ahead_s += self._rushing
            self._looked.notify_all()
            return time.monotonic() + self._ahead_s

    def rush(self, *, by_s: float) -> None:
        """Return when so much time has passed by this clock."""
        with self._looked:
            until = self._ahead_s + by_s
            self._rushing = True
            assert self._looked.wait_for(lambda: self._ahead_s >= until, timeout=60.0)
            self._rushing = False


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
