"""A fleet that was enrolled: broker, aggregator and devices as the how-to has them, over TLS, signed on both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.enrolment import FleetFolder
from shared.handwriting import generate
from shared.labels import label_set
from tests import ports
from tests.e2e.conftest import Command

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("e2e"),
    pytest.mark.skipif(mosquitto_executable() is None, reason="Mosquitto is not installed (apt install mosquitto)"),
]


def test_an_enrolled_fleet_learns_over_tls(inkfleet: Callable[..., Command], tmp_path: Path, unused_port: int) -> None:
    """One device by certificate, one by password; each needs its file and nothing else. A third, whose certificate has
    expired, is told so ahead by itself and then by the broker, and takes no part.
    """
    hands = generate(label_set("arithmetic"), writers=2, samples_per_writer=51, seed=1)
    for name, writer in zip(("kitchen", "attic"), hands.writers_by_samples(), strict=True):
        hands.take(hands.writers == writer).save(tmp_path / f"{name}.npz")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    FleetFolder(tmp_path / "fleet", clock=lambda: long_ago).init(
        fleet="school", hosts=("localhost",), port=unused_port, password_port=ports.unused_port(), days=60
    )
    FleetFolder(tmp_path / "fleet", clock=lambda: long_ago).enroll(["porch"], days=3)
    assert inkfleet("fleet", "enroll", "kitchen", "--out", "kitchen.pem").end() == 0
    assert inkfleet("fleet", "enroll", "attic", "--password", "--out", "attic.pem").end() == 0

    broker = inkfleet("broker", "--secure", "fleet/broker")
    broker.wait_for(str(unused_port))
    devices = [
        inkfleet("device", "--identity", f"{name}.pem", "--data", f"{name}.npz", "--folder", f"at-{name}", "--no-page")
        for name in ("kitchen", "attic")
    ]
    porch = inkfleet("device", "--identity", "fleet/devices/porch.pem", "--folder", "at-porch", "--no-page")
    aggregator = inkfleet(
        *("aggregator", "--identity", "fleet/aggregator", "--min-devices", 2, "--rounds", 1, "--local-epochs", 1),
        *("--folder", "school", "--linger-s", 0, "--json"),
    )
    assert aggregator.end() == 0, aggregator.lines
    assert any("expires in 29 days" in line for line in aggregator.lines)
    events = [json.loads(line) for line in aggregator.out]
    (one,) = (event for event in events if event["event"] == "round")
    assert one["participants"] == 2
    assert {event["device"] for event in events if event["event"] == "device"} == {"kitchen", "attic"}
    for device in devices:
        device.wait_for("update accepted")

    assert porch.end() == 5
    told = "\n".join([*porch.out, *porch.lines])
    assert "porch.pem expired on" in told
    assert "turns our certificate away: it has expired; inkfleet fleet renew makes a new one" in told
    for command in (*devices, broker):
        command.interrupt()
    assert [command.end() for command in (*devices, broker)] == [130, 130, 0]
