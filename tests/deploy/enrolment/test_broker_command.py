"""``inkfleet broker --secure`` in the foreground."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.brokers.running import free_port
from deploy.enrolment import FleetFolder
from shared.errors import BrokerError
from shared.identity import Identity
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.deploy.enrolment.conftest import SecureFleet

pytestmark = pytest.mark.xdist_group("secure-broker")


@pytest.fixture
def school(secure: SecureFleet, tmp_path: Path) -> FleetFolder:
    """A fleet with two devices, and no broker yet."""
    made = FleetFolder(tmp_path / "fleet")
    made.init(fleet="school", hosts=("localhost",), port=free_port())
    made.enroll(["kitchen", "garden"])
    return made


@pytest.fixture
def command(school: FleetFolder) -> Iterator[subprocess.Popen[str]]:
    """The command, listening."""
    words = [sys.executable, "-m", "deploy", "broker", "--secure", str(school.folder / "broker")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert "for members of the fleet" in said[0]
        yield process
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


def line(process: subprocess.Popen[str]) -> str:
    """The next line it says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_whoever_is_revoked_is_out_without_a_word_to_the_broker(
    school: FleetFolder, command: subprocess.Popen[str], ear: Callable[..., Ear]
) -> None:
    """The command sees that its lists have changed, and has Mosquitto read them again."""
    kitchen = Identity.load(school.folder / "devices" / "kitchen.pem", role="device").address
    ear(kitchen).up().link.stop()
    school.revoke(["kitchen"])
    while "crl.pem" not in (said := line(command)):
        assert said.startswith("reloaded: ")
    one = ear(kitchen, retry_refused=False)
    one.link.start()
    with pytest.raises(BrokerError, match="revoked"):
        one.link.wait_connected(DEADLINE_S, patient=False)
    garden = Identity.load(school.folder / "devices" / "garden.pem", role="device").address
    ear(garden).up().link.stop()


def test_sighup_reloads_and_ends_nothing(
    school: FleetFolder, command: subprocess.Popen[str], ear: Callable[..., Ear]
) -> None:
    """As an init system asks for it."""
    command.send_signal(signal.SIGHUP)
    assert line(command) == "reloaded: asked by SIGHUP"
    assert command.poll() is None
    ear(Identity.load(school.folder / "devices" / "garden.pem", role="device").address).up()
