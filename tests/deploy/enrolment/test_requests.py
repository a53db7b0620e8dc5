"""Devices that draw their keys themselves: what they ask with, what they are answered, and what is refused."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.enrolment import FleetFolder
from deploy.enrolment.grants import accept
from deploy.enrolment.requests import Request, make_request, read_keys, read_request
from shared import identity_file
from shared.errors import SettingsError
from shared.identity import Identity
from shared.roster import Roster
from tests.broker_fixtures import Ear
from tests.deploy.enrolment.conftest import NOW, SecureFleet, contents, revoked
from tests.deploy.enrolment.test_fleet_commands import inkfleet


class Asking:
    """A device's machine."""

    def __init__(self, home: Path, name: str = "kitchen") -> None:
        home.mkdir(exist_ok=True)
        self.keys, self.request = home / f"{name}.keys", home / f"{name}.request"
        self.granted, self.identity = home / f"{name}.granted", home / f"{name}.pem"
        self.made = make_request(name, keys_file=self.keys, request_file=self.request)

    def read(self) -> Request:
        """What the keeper has of it."""
        return read_request(self.request)

    def take(self, file: Path) -> Identity:
        """Carry the answer here, and accept it."""
        file.rename(self.granted)
        accept(self.granted, keys_file=self.keys, out=self.identity)
        return Identity.load(self.identity, role="device")


def test_the_commands_let_a_device_in_that_keeps_its_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Request, enrol, accept: both sides are shown the same, and no private key of the device was ever elsewhere."""
    folder, device = ("--folder", tmp_path / "fleet"), tmp_path / "device"
    inkfleet(capsys, "fleet", "init", *folder, "--fleet", "school", "--broker-host", "localhost")
    code, asked, _ = inkfleet(capsys, "fleet", "request", "kitchen", "--out", device)
    assert code == 0
    assert stat.S_IMODE((device / "kitchen.keys").stat().st_mode) == 0o600
    request = ("--request", device / "kitchen.request")
    code, granted, _ = inkfleet(capsys, "fleet", "enroll", *request, *folder)
    assert (code, "inkfleet fleet accept kitchen.granted" in granted) == (0, True)
    (tmp_path / "fleet" / "devices" / "kitchen.granted").rename(device / "kitchen.granted")
    keys = read_keys(device / "kitchen.keys")
    with pytest.raises(SettingsError, match="without its keys; inkfleet fleet accept"):
        Identity.load(device / "kitchen.granted")
    code, taken, _ = inkfleet(capsys, "fleet", "accept", device / "kitchen.granted")
    assert (code, f"next: inkfleet device --identity {device / 'kitchen.pem'}" in taken) == (0, True)
    shown = [line.split()[-1] for line in asked.splitlines()][-1]
    assert shown in granted
    assert granted.split("of the fleet: ")[1].splitlines()[0] in taken
    assert not (device / "kitchen.keys").exists()
    identity = Identity.load(device / "kitchen.pem", role="device")
    assert identity.signing_key.private_bytes_raw() == keys.signing.private_bytes_raw()
    assert stat.S_IMODE(identity.path.stat().st_mode) == 0o600
    written = b"".join((*contents(tmp_path / "fleet").values(), (device / "kitchen.granted").read_bytes()))
    assert b"signing_key" in written
    for line in identity.path.read_text().splitlines():
        if "signing_key" in line or line.startswith("M"):
            secret = "signing_key" in line or line in identity.path.read_text().partition("BEGIN PRIVATE")[2]
            assert not secret or line.encode() not in written
    roster = Roster(tmp_path / "fleet" / "aggregator" / "roster.json", fleet="school")
    roster.refresh()
    member = roster.get("kitchen")
    assert member is not None
    assert member.newest.key == identity.signing_key.public_key()


def test_such_a_device_is_let_in_by_the_broker(secure: SecureFleet, ear: Callable[..., Ear], tmp_path: Path) -> None:
    """Its certificate and its key are a pair to Mosquitto as well; revoked, it is out."""
    cellar = Asking(tmp_path, "cellar")
    identity = cellar.take(secure.folder.grant(cellar.read()))
    ear(identity.address).up("fl/v1/school/round").link.stop()
    secure.folder.revoke(["cellar"])
    (listed,) = (one for one in secure.folder.standings() if one.name == "cellar")
    assert listed.revoked


def test_a_renewal_by_request_leaves_the_former_identity_until_it_is_accepted(
    fleet: FleetFolder, tmp_path: Path
) -> None:
    """The device runs on meanwhile, and takes nothing that is not an answer to its newest request."""
    first = Asking(tmp_path / "first")
    old = first.take(fleet.grant(first.read()))
    again = Asking(tmp_path / "first")
    assert again.made.fingerprint != first.made.fingerprint
    assert again.read().fingerprint == again.made.fingerprint
    second = Asking(tmp_path / "second")
    with pytest.raises(SettingsError, match="is enrolled already; inkfleet fleet renew kitchen"):
        fleet.grant(second.read())
    answer = fleet.grant(second.read(), renewing=True, at_once=True)
    assert len(revoked(fleet)) == 1
    with pytest.raises(SettingsError, match="answers another request"):
        accept(answer, keys_file=Asking(tmp_path / "third").keys, out=first.identity)
    assert Identity.load(first.identity).signing_key.private_bytes_raw() == old.signing_key.private_bytes_raw()
    answer.rename(second.granted)
    accept(second.granted, keys_file=second.keys, out=first.identity)
    new = Identity.load(first.identity, role="device")
    roster = Roster(fleet.folder / "aggregator" / "roster.json", fleet="school")
    roster.refresh()
    member = roster.get("kitchen")
    assert member is not None
    assert member.keys(now=NOW) == (new.signing_key.public_key(),)
    with pytest.raises(SettingsError, match="device garden is not enrolled"):
        fleet.grant(Asking(tmp_path / "fourth", "garden").read(), renewing=True)


def test_keys_that_were_enrolled_are_not_enrolled_again(fleet: FleetFolder, tmp_path: Path) -> None:
    """What was revoked would be good again; another's name does not help."""
    kitchen = Asking(tmp_path)
    fleet.grant(kitchen.read())
    fleet.revoke(["kitchen"])
    with pytest.raises(SettingsError, match="asks with keys that kitchen was enrolled with"):
        fleet.grant(kitchen.read())
    as_garden = Request("garden", kitchen.made.tls_key, kitchen.made.signing_key)
    with pytest.raises(SettingsError, match="asks with keys that kitchen was enrolled with"):
        fleet.grant(as_garden)
    assert not (fleet.folder / "devices" / "kitchen.granted").exists()


def test_an_answer_that_was_lost_is_made_anew(fleet: FleetFolder, tmp_path: Path) -> None:
    """By a renewal with the same request; one that is refused leaves the answer that is there."""
    kitchen = Asking(tmp_path)
    answer = fleet.grant(kitchen.read())
    first = answer.read_bytes()
    with pytest.raises(SettingsError, match="asks with keys that kitchen was enrolled with"):
        fleet.grant(kitchen.read(), renewing=True, at_once=True)
    assert answer.read_bytes() == first
    answer.unlink()
    assert kitchen.take(fleet.grant(kitchen.read(), renewing=True)).name == "kitchen"


@pytest.mark.parametrize("of", ["authority", "certificate"])
def test_no_byte_of_a_certificate_makes_an_answer_end_otherwise(fleet: FleetFolder, tmp_path: Path, of: str) -> None:
    """Algorithms and versions that nobody knows included: it is told in a line that it is damaged or was changed."""
    kitchen = Asking(tmp_path)
    whole = fleet.grant(kitchen.read()).read_bytes()
    if of == "authority":
        written = json_member_of(whole, "authority").strip(b'"')
        der = base64.b64decode(written)
    else:
        der = x509.load_pem_x509_certificate(whole).public_bytes(Encoding.DER)
        written = identity_file.pem(x509.load_der_x509_certificate(der)).encode()
    spoilt = tmp_path / "spoilt"
    for at in range(0, len(der), 3):
        changed = base64.b64encode(der[:at] + bytes([der[at] ^ 3]) + der[at + 1 :])
        if of == "certificate":
            lines = b"\n".join(changed[i : i + 64] for i in range(0, len(changed), 64))
            changed = b"-----BEGIN CERTIFICATE-----\n" + lines + b"\n-----END CERTIFICATE-----\n"
        spoilt.write_bytes(whole.replace(written, changed))
        with pytest.raises(SettingsError):
            accept(spoilt, keys_file=kitchen.keys, out=kitchen.identity)


def json_member_of(data: bytes, name: str) -> bytes:
    """A member of JSON with a member to a line, in quotation marks."""
    (line,) = (line for line in data.splitlines() if f'"{name}"'.encode() in line)
    return line.partition(b": ")[2].rstrip(b",")


def json_member(file: Path, name: str) -> bytes:
    """A member of a file's JSON, in quotation marks."""
    return json_member_of(file.read_bytes(), name)


def test_an_answer_of_another_fleet_does_not_take_a_devices_identity(
    fleet: FleetFolder, elsewhere: FleetFolder, tmp_path: Path
) -> None:
    """Another authority of the same name would have it believe another aggregator."""
    first, second = Asking(tmp_path / "first"), Asking(tmp_path / "second")
    first.take(fleet.grant(first.read()))
    answer = elsewhere.grant(second.read(), renewing=True)
    with pytest.raises(SettingsError, match="is of another authority than"):
        accept(answer, keys_file=second.keys, out=first.identity)
    forged = tmp_path / "forged.granted"
    for part, other in (
        (b'"mqtts://localhost:8883"', b'"mqtts://elsewhere:8883"'),
        (
            json_member(answer, "aggregator_key"),
            json_member(fleet.grant(second.read(), renewing=True), "aggregator_key"),
        ),
    ):
        assert part in answer.read_bytes()
        forged.write_bytes(answer.read_bytes().replace(part, other))
        with pytest.raises(SettingsError, match="was changed on its way"):
            accept(forged, keys_file=second.keys, out=tmp_path / "forged.pem")
    garden = Asking(tmp_path / "garden", "garden")
    with pytest.raises(SettingsError, match="is of device kitchen of fleet school; move it away"):
        accept(fleet.grant(garden.read()), keys_file=garden.keys, out=first.identity)
    assert garden.keys.exists()


def test_a_request_that_is_not_its_makers_is_refused(tmp_path: Path) -> None:
    """Another's signing key, another name, another kind of key, a part of one: a line each."""
    kitchen, garden = Asking(tmp_path, "kitchen"), Asking(tmp_path, "garden")
    whole, other = kitchen.request.read_bytes(), garden.request.read_bytes()
    lines, others = whole.splitlines(keepends=True), other.splitlines(keepends=True)
    key = next(at for at, line in enumerate(lines) if b"signing_key" in line)
    rsa_key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kitchen")])
    foreign = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(rsa_key, hashes.SHA256())
    begin = whole.index(b"-----BEGIN")
    bad = {
        "another's signing key": b"".join((*lines[:key], others[key], *lines[key + 1 :])),
        "another's request for TLS": whole[:begin] + other[other.index(b"-----BEGIN") :],
        "another name": whole.replace(b'"kitchen"', b'"garden"'),
        "another kind of key": whole[:begin] + foreign.public_bytes(Encoding.PEM),
        "a part": whole[:-60],
        "nothing": b"",
        "an identity": b"Inkfleet identity",
    }
    for what, data in bad.items():
        kitchen.request.write_bytes(data)
        with pytest.raises(SettingsError) as refused:
            kitchen.read()
        assert "\n" not in str(refused.value), what
        assert "kitchen.request" in str(refused.value), what
    with pytest.raises(SettingsError, match="the name is reserved"):
        Asking(tmp_path, "Aggregator")
    with pytest.raises(SettingsError, match=r"kitchen\.keys is there already"):
        Asking(tmp_path, "kitchen")


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    """A device whose answer has come."""
    home = tmp_path_factory.mktemp("answered")
    fleet = FleetFolder(home / "fleet", clock=lambda: NOW)
    fleet.init(fleet="school", hosts=("localhost",))
    device = Asking(home / "device")
    keys = device.keys.read_bytes()
    device.take(fleet.grant(device.read()))
    device.keys.write_bytes(keys)
    return device


def said(content: identity_file.Content) -> tuple[object, ...]:
    """What a device goes by."""
    keys = content.aggregator_key.public_bytes_raw(), content.signing_key.private_bytes_raw()
    return content.fleet, content.name, str(content.address), content.authority, content.certificate, keys


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_bytes_that_were_changed_on_the_way_are_refused_in_a_line(answered: Asking, data: st.DataObject) -> None:
    """Of a request, and of an answer: whatever they are changed to, nothing else is raised."""
    file = data.draw(st.sampled_from([answered.request, answered.granted]))
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    put = data.draw(st.binary(max_size=4))
    changed = whole[:at] + put + whole[at + data.draw(st.integers(0, 40)) :]
    spoilt = file.with_suffix(".spoilt")
    spoilt.write_bytes(changed)
    keys = spoilt.with_suffix(".copied")
    keys.write_bytes(answered.keys.read_bytes())
    fault = ""
    try:
        if file is answered.request:
            made = read_request(spoilt)
            assert made.fingerprint == answered.made.fingerprint
        else:
            out = spoilt.with_suffix(".pem")
            out.unlink(missing_ok=True)
            content, _ = accept(spoilt, keys_file=keys, out=out)
            # Of what it was to say, nothing can be changed without being noticed.
            assert said(content) == said(identity_file.read(answered.identity))
    except SettingsError as error:
        fault = str(error)
    assert "\n" not in fault


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A password, another name, the broker; and no device at all."""
    kitchen, folder = Asking(tmp_path), ("--folder", tmp_path / "fleet")
    inkfleet(capsys, "fleet", "init", *folder, "--broker-host", "localhost")
    request = ("--request", kitchen.request, *folder)
    for words, says in (
        (["enroll", *request, "--password"], "--password is not for --request"),
        (["enroll", "garden", *request], "is of device kitchen, not of garden"),
        (["renew", "broker", *request], "--request is not for broker"),
        (["renew", "kitchen", *request], "device kitchen is not enrolled"),
        (["enroll", *folder], "Missing argument 'DEVICE...'"),
        (["accept", kitchen.request], "is not called DEVICE.granted"),
    ):
        code, _, err = inkfleet(capsys, "fleet", *words)
        assert (code, says in err) == (2, True), err
