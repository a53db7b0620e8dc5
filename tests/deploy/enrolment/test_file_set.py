"""Whether the broker's files are whole: said by the command, and by what Debian's machine has without Inkfleet."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from deploy.brokers.file_set import CHECKSUMS, checksums, drop_in, faults
from deploy.enrolment import FleetFolder
from tests.deploy.enrolment.conftest import NOW
from tests.deploy.enrolment.test_fleet_commands import inkfleet


def by_coreutils(folder: Path) -> bool:
    """What ``sha256sum`` says of a set."""
    words = ["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS]
    return subprocess.run(words, cwd=folder, capture_output=True).returncode == 0


def test_every_command_leaves_a_set_that_is_whole(fleet: FleetFolder, tmp_path: Path) -> None:
    """After each of them, and in a copy."""
    broker = fleet.folder / "broker"
    steps: list[Callable[[], object]] = [
        lambda: fleet.enroll(["kitchen"]),
        lambda: fleet.revoke(["kitchen"]),
        lambda: fleet.renew_broker(password_port=8884),
        lambda: fleet.enroll(["attic"], password=True),
        lambda: fleet.renew("attic", at_once=True),
        lambda: fleet.renew_aggregator(at_once=True),
    ]
    for step in (lambda: None, *steps):
        step()
        assert faults(broker, now=NOW) == []
        assert by_coreutils(broker)
    copied = shutil.copytree(broker, tmp_path / "copied")
    assert faults(copied, now=NOW) == []


@pytest.mark.parametrize("name", ["acl", "mosquitto.conf", "crl.pem", "ca.crt", "broker.crt", "broker.key"])
@pytest.mark.parametrize(
    "spoil", [lambda data: None, lambda data: b"", lambda data: data[:-20]], ids=["gone", "empty", "cut"]
)
def test_a_file_that_is_damaged_or_gone_is_one_fault(
    fleet: FleetFolder, name: str, spoil: Callable[[bytes], bytes | None]
) -> None:
    """One line, with its name; whatever else follows from it is not said. Coreutils find it as well."""
    file = fleet.folder / "broker" / name
    data = spoil(file.read_bytes())
    file.unlink()
    if data is not None:
        file.write_bytes(data)
    (fault,) = faults(fleet.folder / "broker", now=NOW)
    assert str(file) in fault
    assert "copy it anew" in fault
    assert not by_coreutils(fleet.folder / "broker")


def test_checksums_that_were_cut_off_are_found_out(fleet: FleetFolder) -> None:
    """At the end of a line too; without any, what can be said without is said."""
    broker = fleet.folder / "broker"
    whole = (broker / CHECKSUMS).read_text()
    for spoilt in ("", whole[:-1].rpartition("\n")[0] + "\n", whole[: len(whole) // 2]):
        (broker / CHECKSUMS).write_text(spoilt)
        assert faults(broker, now=NOW) == [f"{broker / CHECKSUMS} is not whole; copy it anew"]
    # What is left protects the access list, whose loss lets everybody do everything.
    (broker / CHECKSUMS).write_text(whole.partition("\n")[0] + "\n")
    (broker / "acl").write_bytes((broker / "acl").read_bytes()[:-20])
    assert not by_coreutils(broker)
    (broker / CHECKSUMS).unlink()
    first, second = faults(broker, now=NOW)
    assert CHECKSUMS in first
    assert f"{broker / 'acl'} is not whole" in second


@pytest.mark.parametrize("name", ["ca.crt", "broker.crt", "crl.pem"])
def test_no_byte_of_a_certificate_makes_the_check_end_otherwise(fleet: FleetFolder, name: str) -> None:
    """Also where no checksum tells that it was changed: it is a fault, or none, and said in a line."""
    broker = fleet.folder / "broker"
    (broker / CHECKSUMS).unlink()
    file = broker / name
    kind = {"crl.pem": "X509 CRL"}.get(name, "CERTIFICATE")
    der = base64.b64decode(b"".join(file.read_bytes().splitlines()[1:-1]))
    for at in range(0, len(der), 3):
        changed = base64.encodebytes(der[:at] + bytes([der[at] ^ 3]) + der[at + 1 :]).decode()
        file.write_text(f"-----BEGIN {kind}-----\n{changed}-----END {kind}-----\n")
        first, *others = faults(broker, now=NOW)
        assert CHECKSUMS in first
        assert not any("\n" in other for other in others)


def test_a_set_without_the_brokers_key_brings_its_lists_up_to_date(fleet: FleetFolder, tmp_path: Path) -> None:
    """Key and certificate were taken to the broker's machine, and are held against the rest of the set there."""
    broker, there = fleet.folder / "broker", tmp_path / "there"
    shutil.copytree(broker, there)
    for name in ("broker.key", "broker.crt"):
        (broker / name).unlink()
    fleet.enroll(["kitchen"])
    for copied in (broker, shutil.copytree(broker, there, dirs_exist_ok=True)):
        assert faults(copied, now=NOW) == []
        assert by_coreutils(copied)
    (there / "broker.key").write_bytes(b"")
    (fault,) = faults(there, now=NOW)
    assert "broker.key does not fit broker.crt" in fault


def test_files_that_do_not_go_together_are_told(fleet: FleetFolder, elsewhere: FleetFolder) -> None:
    """Each as it was written, but of two fleets: checksums made anew do not help."""
    broker, other = fleet.folder / "broker", elsewhere.folder / "broker"
    shutil.copy(other / "crl.pem", broker)
    first, second = faults(broker, now=NOW)[0], None
    assert f"{broker / 'crl.pem'} is not what {CHECKSUMS} has" in first
    for name, says in (
        ("crl.pem", "crl.pem is not of the authority in ca.crt"),
        ("broker.crt", "broker.crt is no certificate of the authority in ca.crt"),
    ):
        shutil.copy(other / name, broker)
        (broker / CHECKSUMS).write_text(checksums(broker))
        *_, second = faults(broker, now=NOW)
        assert says in second
    shutil.copy(other / "ca.crt", broker)
    (broker / CHECKSUMS).write_text(checksums(broker))
    (alone,) = faults(broker, now=NOW)
    assert "broker.key does not fit broker.crt" in alone


def test_what_has_expired_is_a_fault(fleet: FleetFolder) -> None:
    """The broker's certificate after a year, the list of revoked ones with the authority."""
    (year,) = faults(fleet.folder / "broker", now=NOW + timedelta(days=400))
    assert "broker.crt expired on 2028-02-29 12:00 UTC" in year
    assert "inkfleet fleet renew broker" in year
    ages = faults(fleet.folder / "broker", now=NOW + timedelta(days=4000))
    assert any("crl.pem is past its date" in fault for fault in ages)


def test_the_command_says_each_fault_on_a_line(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 2; of a set that is whole it says where its configuration has it lie."""
    made = FleetFolder(fleet.folder.parent / "now")
    made.init(fleet="school", hosts=("localhost",), broker_folder="/etc/mosquitto/inkfleet", password_port=8884)
    broker = made.folder / "broker"
    code, out, _ = inkfleet(capsys, "fleet", "check", broker)
    assert (code, out) == (0, f"{broker} is whole: for port 8883 and 8884, to be read in /etc/mosquitto/inkfleet\n")
    (broker / "acl").unlink()
    (broker / "crl.pem").write_bytes(b"")
    code, out, err = inkfleet(capsys, "fleet", "check", broker)
    lines = err.splitlines()
    assert (code, out, len(lines)) == (2, "", 3)
    assert lines[0].startswith("fault: the broker's file")
    assert "acl: No such file or directory" in lines[0]
    assert lines[1].startswith(f"fault: {broker / 'crl.pem'} ")
    assert lines[2] == f"inkfleet: {broker} has 2 faults; let no broker read it"
    code, _, err = inkfleet(capsys, "fleet", "check", broker / "nowhere")
    assert (code, "is no folder" in err) == (2, True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_drop_in(tmp_path: Path) -> None:
    """Whatever the folder is called."""
    unit = tmp_path / "mosquitto.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nExecReload=/bin/kill -HUP $MAINPID\n")
    (tmp_path / "mosquitto.service.d").mkdir()
    text = drop_in('/etc/my "ink$fleet" 5%h \\x')
    (tmp_path / "mosquitto.service.d" / "inkfleet.conf").write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
