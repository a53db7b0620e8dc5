"""Brokers with limits: packets of a certain size, so many unacknowledged, so many waiting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deploy.chaos.broker import MortalBroker
from deploy.chaos.line import BOTH, Line
from deploy.chaos.proxy import Proxy
from shared.errors import BrokerError
from shared.mqtt import OutboxBounds
from tests.broker_fixtures import Ear
from tests.faults.network_fleet import FleetAt, every_update_counted_once
from tests.faults.process_fleet import NAMES


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"max_packet_size": "131072"}, id="packets of 128 KiB"),
        pytest.param({"max_packet_size": "2000000"}, id="packets of 2,000,000 bytes"),
        pytest.param({"max_packet_size": ""}, id="packets of any size"),
        pytest.param({"max_packet_size": "20000"}, id="packets smaller than a chunk"),
        pytest.param({"max_inflight_messages": "10"}, id="10 unacknowledged"),
        pytest.param({"max_inflight_messages": "10", "max_queued_messages": "5"}, id="5 waiting"),
    ],
)
def test_a_fleet_keeps_to_the_brokers_limits(
    own_mosquitto: Callable[..., MortalBroker], fleet_at: FleetAt, undisturbed: str, limits: dict[str, str]
) -> None:
    """The run comes to the same weights, and no limit costs anybody a connection."""
    fleet = fleet_at(own_mosquitto(**limits))
    devices = fleet.devices(*NAMES)
    aggregator = fleet.aggregator(quiet_s=1.0)
    assert aggregator.end().weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)
    assert "broker" not in aggregator.kinds()
    for device in devices:
        assert "disconnected" not in device.kinds()


def test_what_a_publisher_holds_is_bounded(
    own_mosquitto: Callable[..., MortalBroker], ear: Callable[..., Ear], fleet_id: str
) -> None:
    """Nothing goes through the line: a publisher takes what its bounds allow, then says that there is no room."""
    with Proxy(own_mosquitto(max_inflight_messages="10").address) as proxy:
        bounds = OutboxBounds(messages=50, size_bytes=1_000_000)
        one = ear(proxy.address, bounds=bounds, publish_deadline_s=0.05).up()
        proxy.set(Line(stalled=BOTH))
        most = bounds.size_bytes // (48 * 1024)
        with pytest.raises(BrokerError, match="takes no messages"):  # noqa: PT012
            for _ in range(most + 1):
                one.link.publish(f"{fleet_id}/x", bytes(48 * 1024))
