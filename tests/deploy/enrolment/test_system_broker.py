"""A Mosquitto that the system runs: what is told to read its lists again looks at them first."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.brokers.file_set import DROP_IN
from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.brokers.running import free_port
from deploy.enrolment import FleetFolder
from shared.errors import BrokerError
from shared.identity import Identity
from shared.mqtt.tls import shake_hands
from tests.broker_fixtures import DEADLINE_S, Ear

USER = "mosquitto"


class SystemBroker:
    """Mosquitto as Debian configures it, with the fleet's configuration as a part, and systemd's ways to reload it."""

    def __init__(self, home: Path) -> None:
        program = mosquitto_executable()
        assert program is not None
        self.home = home
        self.folder = home / "etc" / "inkfleet"
        self.fleet = FleetFolder(home / "fleet")
        self.fleet.init(fleet="school", hosts=("localhost",), port=free_port(), broker_folder=str(self.folder))
        self.fleet.enroll(["kitchen", "garden"])
        self.as_user = os.geteuid() == 0 and USER in {one.pw_name for one in pwd.getpwall()}
        (home / "etc" / "conf.d").mkdir(parents=True)
        self.put()
        main = home / "etc" / "mosquitto.conf"
        main.write_text(f"log_dest file {home}/etc/log\ninclude_dir {home}/etc/conf.d\n")
        self.give(home / "etc")
        self._process = subprocess.Popen([program, "-c", str(main)])

    def give(self, folder: Path) -> None:
        """Let the broker's user have a folder."""
        if self.as_user:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, USER, USER)

    def put(self) -> None:
        """Copy the fleet's files beside, and rename them: as the guide says."""
        new = self.folder.with_name("inkfleet.new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(self.fleet.folder / "broker", new)
        self.give(new)
        self.folder.mkdir(exist_ok=True)
        for file in new.iterdir():
            file.rename(self.folder / file.name)
        shutil.copy(self.folder / "mosquitto.conf", self.home / "etc" / "conf.d" / "inkfleet.conf")

    def reload(self) -> str:
        """Do what systemd does for ``systemctl reload``: one command after the other, up to the first that fails."""
        text = (self.fleet.folder / "broker" / DROP_IN).read_text()
        text = text.replace("/etc/mosquitto/conf.d", str(self.home / "etc" / "conf.d"))
        for line in text.splitlines():
            if line.startswith("ExecReload="):
                words = shlex.split(line.removeprefix("ExecReload=").replace("$MAINPID", str(self._process.pid)))
                words = words if self.as_user or "setpriv" not in line else words[4:]
                done = subprocess.run(words, capture_output=True, text=True, check=False) if words else None
                if done is not None and done.returncode:
                    return done.stdout + done.stderr
        return ""

    def identity(self, name: str) -> Identity:
        """A device's."""
        return Identity.load(self.fleet.folder / "devices" / f"{name}.pem", role="device")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(DEADLINE_S)


@pytest.fixture
def system() -> Iterator[SystemBroker]:
    """A fleet's broker as a service."""
    if mosquitto_executable() is None:
        message = "Mosquitto is not installed (apt install mosquitto)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    # Not below pytest's own folder, into which the broker's user may not look.
    with tempfile.TemporaryDirectory(prefix="inkfleet-test-") as folder:
        Path(folder).chmod(0o755)
        broker = SystemBroker(Path(folder))
        try:
            yield broker
        finally:
            broker.stop()


def test_a_reload_of_a_set_that_is_not_whole_is_refused(system: SystemBroker, ear: Callable[..., Ear]) -> None:
    """Mosquitto would open itself to all members; what it read before holds, and a set that is whole is read."""
    kitchen = ear(system.identity("kitchen").address).up("fl/v1/school/round")
    garden = system.identity("garden").address
    configuration = (system.folder / "mosquitto.conf").read_bytes()
    spoilt = {
        "acl": (system.folder / "acl").read_bytes()[:-100],
        "mosquitto.conf": configuration[: configuration.index(b"acl_file")],
        "crl.pem": b"",
    }
    for name, data in spoilt.items():
        (system.folder / name).write_bytes(data)
        assert f"{name}: FAILED" in system.reload()
        system.put()
    (system.home / "etc" / "conf.d" / "inkfleet.conf").write_bytes(spoilt["mosquitto.conf"])
    assert "differ" in system.reload() or "EOF" in system.reload()
    if system.as_user:
        shutil.chown(system.folder / "acl", "root", "root")
        assert "acl: FAILED open or read" in system.reload()
    system.put()
    kitchen.link.publish("fl/v1/school/round", b"mine")
    assert kitchen.link.flush(DEADLINE_S)
    shake_hands(garden, timeout_s=DEADLINE_S)
    system.fleet.revoke(["garden"])
    system.put()
    assert system.reload() == ""
    refusal, until = "", time.monotonic() + DEADLINE_S
    while not refusal and time.monotonic() < until:
        try:
            shake_hands(garden, timeout_s=DEADLINE_S)
        except BrokerError as error:
            refusal = str(error)
    assert "it was revoked" in refusal
    kitchen.link.publish("fl/v1/school/round", b"mine")
    assert kitchen.link.flush(DEADLINE_S)
    assert kitchen.messages.empty()
