"""A broker that is not there, comes late, or turns the device away."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import BrokerError
from tests.edge_client.scripted_aggregator import DEADLINE_S
from tests.edge_client.watched import Watched


def test_no_broker_is_said_at_once_and_given_up_when_told(make: Callable[..., Watched], unused_port: int) -> None:
    """A device without a broker says why, and with wait_s ends with a BrokerError."""
    watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=1.0)
    assert "no broker listens" in watched.next("broker")["reason"]
    with pytest.raises(BrokerError, match=r"given up after 1 s"):
        watched.device.wait(DEADLINE_S)


def test_a_broker_that_comes_late_is_found(make: Callable[..., Watched], unused_port: int, tmp_path: Path) -> None:
    """With a wait_s of 0 a device waits for as long as it takes."""
    from deploy.brokers import start_broker

    watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=0.0)
    watched.next("broker")
    with start_broker("mosquitto", folder=tmp_path / "late", port=unused_port):
        watched.next("connected")
    assert watched.next("disconnected")["reason"]


def test_a_broker_that_refuses_ends_the_device(make: Callable[..., Watched], unused_port: int, tmp_path: Path) -> None:
    """A device that a broker turns away does not wait: that does not mend itself."""
    from deploy.brokers.mosquitto import executable

    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {unused_port} 127.0.0.1\nallow_anonymous false\n")
    mosquitto = executable()
    assert mosquitto is not None
    with subprocess.Popen([mosquitto, "-c", config], stderr=subprocess.DEVNULL) as broker:
        try:
            watched = make(broker=f"mqtt://127.0.0.1:{unused_port}", wait_s=0.9 * DEADLINE_S)
            with pytest.raises(BrokerError, match="does not authorise this client") as caught:
                watched.device.wait(DEADLINE_S)
            assert "given up" not in str(caught.value)
        finally:
            broker.terminate()
