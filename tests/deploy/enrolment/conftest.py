"""A fleet and its broker, made as a person makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from deploy.brokers import RunningBroker, start_secure_mosquitto
from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.enrolment import FleetFolder
from shared.identity import Identity
from tests.broker_fixtures import Ear
from tests.ports import unused_port

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
"""The time of fixture `fleet`."""


@dataclass
class SecureFleet:
    """A fleet whose broker runs with the configuration that was made for it."""

    folder: FleetFolder
    broker: RunningBroker

    def identity(self, name: str) -> Identity:
        """A device's identity, or the aggregator's."""
        if name == "aggregator":
            return Identity.load(self.folder.folder / name, role="aggregator")
        return Identity.load(self.folder.folder / "devices" / f"{name}.pem", role="device")

    def reload(self) -> None:
        """Have the broker read its lists again, as ``systemctl reload`` does."""
        assert self.broker.reload() == ""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureFleet]:
    """Fleet ``school`` with devices kitchen and garden by certificate, attic by password."""
    if mosquitto_executable() is None:
        message = "Mosquitto is not installed (apt install mosquitto)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    home = tmp_path_factory.mktemp("secure")
    folder = FleetFolder(home / "fleet")
    port, password_port = unused_port(), unused_port()
    folder.init(fleet="school", hosts=("localhost", "127.0.0.1"), port=port, password_port=password_port)
    folder.enroll(["kitchen", "garden", "porch"])
    folder.enroll(["attic"], password=True)
    with start_secure_mosquitto(folder.folder / "broker", folder=home / "log") as broker:
        yield SecureFleet(folder, broker)


@pytest.fixture
def connect(secure: SecureFleet, ear: Callable[..., Ear]) -> Callable[..., Ear]:
    """Connect as somebody and have subscriptions asked for, granted or not."""

    def make(name: str, *filters: str, **settings: Any) -> Ear:
        made = ear(secure.identity(name).address, **settings)
        return made.up(*filters)

    return make


@pytest.fixture
def elsewhere(tmp_path: Path) -> FleetFolder:
    """Another fleet of the same name, with the same devices and another authority."""
    other = FleetFolder(tmp_path / "elsewhere")
    other.init(fleet="school", hosts=("localhost",))
    other.enroll(["kitchen"])
    return other


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A fleet without devices."""
    made = FleetFolder(tmp_path / "fleet", clock=lambda: NOW)
    made.init(fleet="school", hosts=("localhost",))
    return made


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "lock"}


def revoked(fleet: FleetFolder) -> set[str]:
    """The serial numbers on the revocation list."""
    listed = x509.load_pem_x509_crl((fleet.folder / "broker" / "crl.pem").read_bytes())
    return {f"{one.serial_number:X}" for one in listed}
