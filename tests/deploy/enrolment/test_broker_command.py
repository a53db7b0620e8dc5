"""``inkfleet broker --secure`` in the foreground."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.enrolment import FleetFolder
from shared.errors import BrokerError
from shared.identity import Identity
from shared.mqtt import BrokerAddress
from shared.mqtt.tls import shake_hands
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.deploy.enrolment.conftest import SecureFleet
from tests.ports import unused_port

pytestmark = pytest.mark.xdist_group("secure-broker")


@pytest.fixture
def school(secure: SecureFleet, tmp_path: Path) -> FleetFolder:
    """A fleet with two devices, and no broker yet."""
    made = FleetFolder(tmp_path / "fleet")
    made.init(fleet="school", hosts=("localhost",), port=unused_port())
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


def carried(school: FleetFolder, name: str) -> BrokerAddress:
    """How a device logs in with its file where it was carried to: revoking it takes away what waits in the folder."""
    waiting = school.folder / "devices" / f"{name}.pem"
    return Identity.load(waiting.rename(school.folder.parent / waiting.name), role="device").address


def await_revoked(address: BrokerAddress) -> None:
    """Wait until Mosquitto has done what it was told to: it does it when it comes to it."""
    until = time.monotonic() + DEADLINE_S
    refusal = ""
    while not refusal and time.monotonic() < until:
        try:
            shake_hands(address, timeout_s=DEADLINE_S)
        except BrokerError as error:
            refusal = str(error)
    assert "turns our certificate away: it was revoked" in refusal


def put(file: Path, data: bytes) -> None:
    """Replace a file at once: half-written, it would be looked at once more."""
    (file.parent.parent / "new").write_bytes(data)
    (file.parent.parent / "new").replace(file)


def test_whoever_is_revoked_is_out_without_a_word_to_the_broker(
    school: FleetFolder, command: subprocess.Popen[str], ear: Callable[..., Ear]
) -> None:
    """The command sees that its lists have changed, and has Mosquitto read them again."""
    kitchen = carried(school, "kitchen")
    ear(kitchen).up().link.stop()
    school.revoke(["kitchen"])
    while "crl.pem" not in (said := line(command)):
        assert said.startswith("reloaded: ")
    await_revoked(kitchen)
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


@pytest.mark.parametrize("name", ["acl", "crl.pem"])
def test_a_list_that_is_damaged_or_gone_lets_nobody_do_more(
    school: FleetFolder, command: subprocess.Popen[str], ear: Callable[..., Ear], name: str
) -> None:
    """As while it is copied: Mosquitto would go on without it. What was read before holds until the list is whole."""
    garden = carried(school, "garden")
    school.revoke(["garden"])
    changed: set[str] = set()
    while not {"acl", "crl.pem"} <= changed:
        changed |= set(line(command).removeprefix("reloaded: ").removesuffix(" changed").split(", "))
    await_revoked(garden)
    file = school.folder / "broker" / name
    whole = file.read_bytes()
    for spoilt in (b"rubbish", whole[: len(whole) // 2], whole[:-20], None):
        file.unlink() if spoilt is None else put(file, spoilt)
        assert line(command).startswith(f"not reloaded: {file} ")
    command.send_signal(signal.SIGHUP)
    assert line(command).startswith(f"not reloaded: {file} ")
    one = ear(garden, retry_refused=False)
    one.link.start()
    with pytest.raises(BrokerError, match="turns our certificate away: it was revoked"):
        one.link.wait_connected(DEADLINE_S, patient=False)
    kitchen = ear(Identity.load(school.folder / "devices" / "kitchen.pem", role="device").address)
    kitchen.up("fl/v1/school/round", "fl/v1/school/server/state")
    kitchen.link.publish("fl/v1/school/round", b"{}")
    assert kitchen.link.flush(DEADLINE_S)
    aggregator = ear(Identity.load(school.folder / "aggregator", role="aggregator").address).up()
    aggregator.link.publish("fl/v1/school/server/state", b"{}")
    assert kitchen.next().topic == "fl/v1/school/server/state"
    put(file, whole)
    assert line(command) == f"reloaded: {name} changed"
