"""What ``inkfleet fleet`` writes is what devices and aggregators read, and nothing else is."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.enrolment import FleetFolder
from shared.enrolled import fill_in, newest_round_file
from shared.errors import SettingsError
from shared.identity import Identity
from shared.roster import Roster

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> FleetFolder:
    """A fleet with a device that has a certificate and one that has a password."""
    made = FleetFolder(tmp_path_factory.mktemp("home") / "fleet", clock=lambda: NOW)
    made.init(fleet="school", hosts=("broker.local", "::1"), password_port=8884)
    made.enroll(["kitchen"])
    made.enroll(["attic"], password=True)
    return made


def bundle(fleet: FleetFolder, name: str = "kitchen") -> Path:
    """A device's file."""
    return fleet.folder / "devices" / f"{name}.pem"


def test_a_device_knows_who_it_is_and_where_to_go(fleet: FleetFolder) -> None:
    """Name, fleet and broker come from the file; the broker is trusted by the fleet's authority alone."""
    identity = Identity.load(bundle(fleet), role="device")
    assert (identity.name, identity.fleet, str(identity.address)) == ("kitchen", "school", "mqtts://broker.local:8883")
    assert identity.address.ca_data is not None
    assert identity.address.cert_file == str(bundle(fleet))
    assert identity.notices(now=NOW) == ()


def test_a_password_stands_for_a_certificate(fleet: FleetFolder) -> None:
    """Its user name is the device's, its port the one for passwords, and it expires too."""
    identity = Identity.load(bundle(fleet, "attic"), role="device")
    assert (identity.address.username, identity.address.port) == ("attic", 8884)
    assert len(identity.address.password or "") >= 32
    assert identity.address.cert_file is None
    assert str(identity.address.password) not in repr(identity)
    assert identity.not_after == NOW + timedelta(days=365)


def test_each_believes_the_keys_of_the_other(fleet: FleetFolder) -> None:
    """What the aggregator signs, devices can check; what a device signs, the aggregator can."""
    device = Identity.load(bundle(fleet), role="device")
    aggregator = Identity.load(fleet.folder / "aggregator", role="aggregator")
    device.aggregator_key.verify(aggregator.signing_key.sign(b"round 1"), b"round 1")
    roster = Roster(fleet.folder / "aggregator" / "roster.json", fleet="school")
    assert roster.refresh()
    assert not roster.refresh()
    member = roster.get("kitchen")
    assert member is not None
    (key,) = member.keys(now=NOW)
    key.verify(device.signing_key.sign(b"update"), b"update")
    assert roster.get("stranger") is None


def test_only_the_owner_can_read_a_secret(fleet: FleetFolder) -> None:
    """Keys, hashes and identities are 0600, their folders 0700."""
    for path in fleet.folder.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o644 if path.name in ("ca.crt", "lock") else 0o600
        if path.name == "ca.crt" and path.parent.name == "broker":
            expected = 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert stat.S_IMODE(fleet.folder.stat().st_mode) == 0o700


def test_no_beginning_of_a_file_is_taken(fleet: FleetFolder, tmp_path: Path) -> None:
    """A copy that broke off is refused in a line that names it, wherever it broke off."""
    data = bundle(fleet).read_bytes()
    cut = tmp_path / "cut.pem"
    for length in [*range(0, len(data) - 30, 61), len(data) - 30]:
        cut.write_bytes(data[:length])
        with pytest.raises(SettingsError, match=r"cut\.pem") as refused:
            Identity.load(cut, role="device")
        assert "\n" not in str(refused.value)


def swapped(one: bytes, other: bytes, *, begin: bytes) -> bytes:
    """The first file up to ``begin``, the second from there."""
    return one[: one.find(begin)] + other[other.find(begin) :]


def test_parts_that_do_not_belong_together_are_refused(fleet: FleetFolder, tmp_path: Path) -> None:
    """Another's key, another's certificate, another fleet's authority, another role: each has its own words."""
    other = FleetFolder(tmp_path / "other", clock=lambda: NOW)
    other.init(fleet="college", hosts=("localhost",))
    other.enroll(["kitchen", "garden"])
    kitchen, garden = (bundle(other, name).read_bytes() for name in ("kitchen", "garden"))
    foreign = bundle(fleet).read_bytes()
    mixed = {
        "private key does not fit": swapped(kitchen, garden, begin=b"-----BEGIN PRIVATE"),
        "of name garden, expected kitchen": swapped(kitchen, garden, begin=b"-----BEGIN CERT"),
        "of another authority": swapped(kitchen, foreign, begin=b"-----BEGIN CERT"),
        "of fleet college, expected school": kitchen.replace(b'"college"', b'"school"'),
        "expected a text for 'broker'": kitchen.replace(b'"mqtts://localhost:8883"', b"8883"),
        "is without TLS": kitchen.replace(b"mqtts://", b"mqtt://"),
        "has version 2": kitchen.replace(b'"version": 1', b'"version": 2'),
        "is no identity": b"-----BEGIN CERTIFICATE-----\n",
        "expected at most 64 KiB": kitchen + b" " * 70_000,
    }
    for says, data in mixed.items():
        file = tmp_path / "mixed.pem"
        file.write_bytes(data)
        with pytest.raises(SettingsError, match=says):
            Identity.load(file, role="device")
    with pytest.raises(SettingsError, match="is for device kitchen of fleet college, but one for the aggregator"):
        Identity.load(bundle(other), role="aggregator")
    with pytest.raises(SettingsError, match="No such file"):
        Identity.load(tmp_path / "nowhere.pem", role="device")


@pytest.mark.parametrize(
    ("days", "says"),
    [(-2, "not valid before"), (0, ""), (334, ""), (336, "expires in 29 days"), (364, "1 day,"), (366, "expired on")],
)
def test_the_end_is_told_ahead(fleet: FleetFolder, days: int, says: str) -> None:
    """From thirty days before, and in words that think of a wrong clock when it is over, or not begun."""
    notices = Identity.load(bundle(fleet), role="device").notices(now=NOW + timedelta(days=days))
    assert bool(notices) == bool(says)
    if says:
        assert says in notices[0]
        assert "renew kitchen" in notices[0]
        assert ("clock" in notices[0]) == (not 0 <= days <= 365)


def test_a_clock_that_is_hours_behind_does_no_harm(fleet: FleetFolder) -> None:
    """Certificates are valid from a day before they were made."""
    assert Identity.load(bundle(fleet), role="device").notices(now=NOW - timedelta(hours=23)) == ()


def test_a_file_that_others_can_read_is_told(fleet: FleetFolder, tmp_path: Path) -> None:
    """With its mode, and what to do."""
    copy = tmp_path / "copy.pem"
    copy.write_bytes(bundle(fleet).read_bytes())
    copy.chmod(0o640)
    (notice,) = Identity.load(copy, role="device").notices(now=NOW)
    assert "0640" in notice
    assert "chmod 600" in notice


@pytest.mark.parametrize(
    ("broker", "words"),
    [
        ("mqtt://broker.local", "without TLS, which identity .* needs: write mqtts://"),
        ("mqtts://me:secret@broker.local", "is given with user name, which identity .* decides"),
        ("mqtts://broker.local?ca=own.crt&cert=own.pem", "is given with ca, cert, which identity .* decides"),
        ("broker.local", "does not start with mqtt://"),
    ],
)
def test_an_address_that_does_not_go_with_an_identity_is_refused_at_once(
    fleet: FleetFolder, broker: str, words: str
) -> None:
    """Before anything is opened, in one line that shows no password."""
    with pytest.raises(SettingsError, match=words) as caught:
        fill_in({"identity": str(bundle(fleet)), "broker": broker}, role="device")
    assert "secret" not in str(caught.value)


def test_another_place_of_the_broker_goes_with_an_identity(fleet: FleetFolder) -> None:
    """The same broker may be reached under another name."""
    values = {"identity": str(bundle(fleet)), "broker": "mqtts://10.0.0.7:9999"}
    assert fill_in(values, role="device")["broker"] == "mqtts://10.0.0.7:9999"


def test_how_far_a_device_was_stands_beside_its_identity(fleet: FleetFolder) -> None:
    """One file for the fleet and its aggregator's key, the same for every folder of the device."""
    file = newest_round_file(bundle(fleet))
    assert file is not None
    assert file.parent == bundle(fleet).parent
    assert file.name.startswith("kitchen.pem.")
    assert newest_round_file(None) is None
