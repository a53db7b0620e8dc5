"""What ``inkfleet fleet`` promises about its folder: whole or not at all, one at a time, and nothing overwritten."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.brokers.secure_files import configuration, password_hash
from deploy.cli import main
from deploy.enrolment import FleetFolder
from shared.errors import SettingsError, StorageError
from shared.identity import Identity
from shared.roster import Roster

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A fleet without devices."""
    made = FleetFolder(tmp_path / "fleet", clock=lambda: NOW)
    made.init(fleet="school", hosts=("localhost",))
    return made


def inkfleet(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run a command; return its exit code and what it said."""
    code: object = 0
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        # The command line takes the signals for itself; give them back.
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    said = capsys.readouterr()
    return int(str(code)), said.out, said.err


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock."""
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "lock"}


def revoked(fleet: FleetFolder) -> set[str]:
    """The serial numbers on the revocation list."""
    listed = x509.load_pem_x509_crl((fleet.folder / "broker" / "crl.pem").read_bytes())
    return {f"{one.serial_number:X}" for one in listed}


def test_nothing_is_overwritten(fleet: FleetFolder, tmp_path: Path) -> None:
    """A second init, a second enrolment and a file that is there are refused, and nothing has changed."""
    fleet.enroll(["kitchen"])
    before = contents(tmp_path)
    with pytest.raises(SettingsError, match="holds a fleet already"):
        fleet.init(fleet="school", hosts=("localhost",))
    with pytest.raises(SettingsError, match="kitchen is enrolled already"):
        fleet.enroll(["garden", "kitchen"])
    taken = tmp_path / "taken.pem"
    taken.write_text("mine")
    with pytest.raises(SettingsError, match="is there already"):
        fleet.enroll(["garden"], out=taken)
    taken.unlink()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter").touch()
    with pytest.raises(SettingsError, match="not empty"):
        FleetFolder(tmp_path / "papers").init(fleet="school", hosts=("localhost",))
    shutil.rmtree(tmp_path / "papers")
    assert contents(tmp_path) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


RESERVED = ["aggregator", "Aggregator", "BROKER", "authority", "lock"]
IMPOSSIBLE = ["", "..", "../kitchen", "a/b", "a b", "a+b", "#", "-a", "a" * 65, "kü"]


@pytest.mark.parametrize("name", RESERVED + IMPOSSIBLE)
def test_a_name_that_cannot_be_is_refused(fleet: FleetFolder, name: str) -> None:
    """Reserved ones in any case, and what could leave the folder or stand for other topics."""
    before = contents(fleet.folder)
    with pytest.raises(SettingsError):
        fleet.enroll([name])
    assert contents(fleet.folder) == before


@pytest.mark.parametrize("host", ["mqtt://a", "a:1883", "", "a b", "a..b", "*", "-a", "x" * 300])
def test_a_host_that_cannot_be_is_refused(tmp_path: Path, host: str) -> None:
    """Before anything is written."""
    with pytest.raises(SettingsError, match="broker host"):
        FleetFolder(tmp_path / "fleet").init(fleet="school", hosts=(host,))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_writes_no_options_into_the_brokers_configuration(fleet: FleetFolder, tmp_path: Path) -> None:
    """A path with the end of a line in it is refused, and nothing has changed."""
    before = contents(fleet.folder)
    with pytest.raises(SettingsError, match="cannot stand in"):
        fleet.renew_broker(broker_folder="/etc/x\nallow_anonymous true")
    assert contents(fleet.folder) == before
    with pytest.raises(SettingsError, match="cannot stand in"):
        FleetFolder(tmp_path / "a\nb").init(fleet="school", hosts=("localhost",))


def test_enrolments_at_the_same_time_wait_for_one_another(fleet: FleetFolder) -> None:
    """None is lost from the roster."""
    names = [f"d{number}" for number in range(6)]
    threads = [threading.Thread(target=FleetFolder(fleet.folder).enroll, args=([name],)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    roster = Roster(fleet.folder / "aggregator" / "roster.json", fleet="school")
    roster.refresh()
    assert all(roster.get(name) for name in names)


def test_a_generous_umask_opens_nothing(tmp_path: Path) -> None:
    """A process whose umask is 0 makes files that are their owner's alone, at every moment of it."""
    watched = tmp_path / "home"
    watched.mkdir()
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from deploy.enrolment import FleetFolder\n"
        "os.umask(0)\n"
        "opened = []\n"
        "def hook(event, arguments):\n"
        "    if event in ('open', 'os.mkdir', 'os.chmod') and str(arguments[0]).startswith(sys.argv[1] + '/'):\n"
        "        if event != 'os.mkdir' or not os.path.exists(arguments[0]):\n"
        "            opened.append((event, *map(str, arguments)))\n"
        "sys.addaudithook(hook)\n"
        "fleet = FleetFolder(Path(sys.argv[1]) / 'fleet')\n"
        "fleet.init(fleet='school', hosts=('localhost',))\n"
        "fleet.enroll(['kitchen'])\n"
        "modes = [int(mode) for event, path, mode, *_ in opened if event in ('os.mkdir', 'os.chmod')]\n"
        "print(sorted({oct(mode) for mode in modes}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(watched)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    # 0644 are certificates of the authority; whatever else is made is made 0600 or 0700.
    assert set(json.loads(ran.stdout.replace("'", '"'))) <= {"0o600", "0o700", "0o644"}
    for path in (watched / "fleet").rglob("*"):
        public = path.name in ("lock", "ca.crt")
        assert not path.stat().st_mode & (0o022 if public else 0o077), path


def test_a_renewed_device_may_use_both_until_the_first_expires(fleet: FleetFolder) -> None:
    """So that it works on until its new file is there; at once, where that is wanted."""
    (first,) = fleet.enroll(["kitchen"], days=10)
    old = Identity.load(first, role="device")
    new = Identity.load(fleet.renew("kitchen", days=100), role="device")
    roster = Roster(fleet.folder / "aggregator" / "roster.json", fleet="school")
    roster.refresh()
    member = roster.get("kitchen")
    assert member is not None
    assert member.keys(now=NOW) == (new.signing_key.public_key(), old.signing_key.public_key())
    assert member.keys(now=NOW + timedelta(days=11)) == (new.signing_key.public_key(),)
    assert revoked(fleet) == set()
    third = Identity.load(fleet.renew("kitchen", at_once=True), role="device")
    assert roster.refresh()
    member = roster.get("kitchen")
    assert member is not None
    assert member.keys(now=NOW) == (third.signing_key.public_key(),)
    assert len(revoked(fleet)) == 2


def test_a_revoked_name_can_be_given_again(fleet: FleetFolder) -> None:
    """Its old certificate stays on the list; the access list lets the name in again."""
    fleet.enroll(["kitchen"])
    fleet.revoke(["kitchen"])
    acl = fleet.folder / "broker" / "acl"
    assert "user kitchen\ntopic deny fl/v1/school/#" in acl.read_text()
    with pytest.raises(SettingsError, match="revoked already"):
        fleet.revoke(["kitchen"])
    with pytest.raises(SettingsError, match="was revoked; inkfleet fleet enroll"):
        fleet.renew("kitchen")
    fleet.enroll(["kitchen"])
    assert "user kitchen" not in acl.read_text()
    assert len(revoked(fleet)) == 1


def test_the_revocation_list_never_runs_out(fleet: FleetFolder) -> None:
    """Mosquitto turns everybody away once the next list is overdue."""
    listed = x509.load_pem_x509_crl((fleet.folder / "broker" / "crl.pem").read_bytes())
    authority = x509.load_pem_x509_certificate((fleet.folder / "authority" / "ca.crt").read_bytes())
    assert listed.next_update_utc == authority.not_valid_after_utc


def test_the_aggregators_signing_key_stays(fleet: FleetFolder) -> None:
    """A renewed aggregator is believed by devices that were enrolled before; unless a new key is asked for."""
    device = Identity.load(fleet.enroll(["kitchen"])[0], role="device")
    place = fleet.folder / "aggregator"
    fleet.renew_aggregator(at_once=True)
    assert Identity.load(place, role="aggregator").aggregator_key == device.aggregator_key
    assert len(revoked(fleet)) == 1
    fleet.renew_aggregator(new_signing_key=True)
    assert Identity.load(place, role="aggregator").aggregator_key != device.aggregator_key
    (place / "identity.pem").unlink()
    with pytest.raises(SettingsError, match="--new-signing-key"):
        fleet.renew_aggregator()


def test_every_former_certificate_of_the_aggregators_is_revoked_at_once(fleet: FleetFolder) -> None:
    """Not the last alone: whoever stole one may have stolen the one before, which is good still."""
    fleet.renew_aggregator()
    fleet.renew_aggregator()
    assert revoked(fleet) == set()
    fleet.renew_aggregator(at_once=True)
    assert len(revoked(fleet)) == 3
    fleet.renew_aggregator(at_once=True)
    assert len(revoked(fleet)) == 4


def test_a_revocation_that_was_cut_short_is_done_whole_the_next_time(
    fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills after the roster was written: the same command again writes what the broker goes by."""
    fleet.enroll(["kitchen"])

    def full(*_: object, **__: object) -> None:
        raise StorageError("no room")

    with monkeypatch.context() as patched:
        patched.setattr("deploy.enrolment.fleet_files._write_if_changed", full)
        with pytest.raises(StorageError):
            fleet.revoke(["kitchen"])
    assert revoked(fleet) == set()
    with pytest.raises(SettingsError, match="revoked already"):
        fleet.revoke(["kitchen"])
    assert len(revoked(fleet)) == 1
    assert "user kitchen" in (fleet.folder / "broker" / "acl").read_text()


def test_without_the_authoritys_key_nobody_is_enrolled(fleet: FleetFolder) -> None:
    """Kept offline, it is asked for; another's is refused."""
    key = fleet.folder / "authority" / "ca.key"
    aside = key.rename(fleet.folder / "key-on-a-stick")
    with pytest.raises(SettingsError, match="bring it back"):
        fleet.enroll(["kitchen"])
    other = FleetFolder(fleet.folder.parent / "other")
    other.init(fleet="other", hosts=("localhost",))
    shutil.copy(other.folder / "authority" / "ca.key", key)
    with pytest.raises(SettingsError, match="does not fit"):
        fleet.enroll(["kitchen"])
    shutil.move(aside, key)
    fleet.enroll(["kitchen"])


def test_an_enrolment_that_was_killed_in_the_middle_is_done_again(
    fleet: FleetFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is good is on the lists before it is in a file: a device without its file is listed, and renewed."""

    def killed(path: Path, data: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shared.identity.save", killed)
        with pytest.raises(KeyboardInterrupt):
            fleet.enroll(["kitchen"])
    assert "kitchen" in [one.name for one in fleet.standings()]
    assert Identity.load(fleet.renew("kitchen", at_once=True), role="device").name == "kitchen"
    assert len(revoked(fleet)) == 1


def test_an_authority_that_is_kept_offline_is_asked_for(fleet: FleetFolder, tmp_path: Path) -> None:
    """And nothing is made in its place."""
    aside = (fleet.folder / "authority").rename(tmp_path / "stick")
    for do in (fleet.standings, lambda: fleet.enroll(["kitchen"]), lambda: fleet.revoke(["kitchen"])):
        with pytest.raises(SettingsError, match="bring authority/ back"):
            do()
    aside.rename(fleet.folder / "authority")
    fleet.enroll(["kitchen"])


def test_a_roster_that_breaks_leaves_the_last_one_in_force(fleet: FleetFolder) -> None:
    """It is told once for each change of the file."""
    fleet.enroll(["kitchen"])
    file = fleet.folder / "aggregator" / "roster.json"
    roster = Roster(file, fleet="school")
    roster.refresh()
    whole = file.read_text()
    for broken in ("", "[]", whole[: len(whole) // 2], whole.replace('"school"', '"college"')):
        file.write_text(broken)
        with pytest.raises(SettingsError, match=r"roster\.json"):
            roster.refresh()
        assert not roster.refresh()
        assert roster.get("kitchen")
    file.write_text(whole + " ")
    assert roster.refresh()


@pytest.mark.skipif(mosquitto_executable() is None, reason="Mosquitto is not installed (apt install mosquitto)")
def test_a_password_is_hashed_as_mosquitto_does_it(tmp_path: Path) -> None:
    """Digit by digit what mosquitto_passwd writes with the same salt."""
    program = shutil.which("mosquitto_passwd", path=os.environ["PATH"] + ":/usr/sbin")
    assert program is not None
    file = tmp_path / "passwords"
    subprocess.run([program, "-b", "-c", str(file), "attic", "sesame"], check=True, capture_output=True)
    written = file.read_text().strip()
    _, kind, iterations, salt, _ = written.split("$")
    assert kind == "7"
    assert written == "attic:" + password_hash("sesame", salt=base64.b64decode(salt), iterations=int(iterations))


def test_the_form_of_2_1_uses_no_option_that_it_deprecates() -> None:
    """Access list and passwords come in by the plugins, for every listener; all else is as in 2.0."""
    forms = {
        version: [
            line
            for line in configuration(fleet="f", folder="/etc/x", port=1, password_port=2, version=version).splitlines()
            if line and not line.startswith("#")
        ]
        for version in ("2.0", "2.1")
    }
    assert set(forms["2.0"]) - set(forms["2.1"]) == {"acl_file /etc/x/acl", "password_file /etc/x/passwords"}
    assert [line for line in forms["2.1"] if "plugin" in line] == [
        "global_plugin /usr/lib/mosquitto_acl_file.so",
        "plugin_opt_acl_file /etc/x/acl",
        "global_plugin /usr/lib/mosquitto_password_file.so",
        "plugin_opt_password_file /etc/x/passwords",
    ]
    assert not [line for line in forms["2.1"] if line.startswith(("acl_file", "password_file", "per_listener"))]


# -- the command line -------------------------------------------------------------------------------------------------


def test_the_commands_go_through_a_fleets_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Init, enrol, list, revoke: each says what comes next."""
    folder = ("--folder", tmp_path / "fleet")
    code, out, _ = inkfleet(capsys, "fleet", "init", *folder, "--fleet", "school", "--broker-host", "localhost")
    assert (code, "inkfleet fleet enroll" in out) == (0, True)
    code, out, _ = inkfleet(capsys, "fleet", "enroll", "kitchen", *folder, "--days", 20, "--out", tmp_path / "k.pem")
    assert (code, f"kitchen: {tmp_path / 'k.pem'}" in out) == (0, True)
    assert Identity.load(tmp_path / "k.pem", role="device").name == "kitchen"
    code, out, err = inkfleet(capsys, "fleet", "list", *folder)
    assert "kitchen" in out
    assert "warning: kitchen expires in 19 days" in err
    code, out, _ = inkfleet(capsys, "fleet", "revoke", "kitchen", *folder)
    assert "SIGHUP" in out
    _, out, _ = inkfleet(capsys, "fleet", "list", *folder, "--json")
    (kitchen,) = (member for member in json.loads(out)["members"] if member["name"] == "kitchen")
    assert kitchen["revoked"]
    assert not kitchen["warning"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["enroll", "kitchen"], "there is no fleet's authority in"),
        (["init", "--fleet", "a/b"], "fleet name 'a/b' cannot be used"),
        (["init", "--days", "0"], "--days"),
        (["renew", "kitchen", "--password-port", "1"], "--password-port is not for kitchen"),
        (["revoke"], "DEVICE"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit code 2."""
    code, out, err = inkfleet(capsys, "fleet", *arguments, "--folder", tmp_path / "fleet")
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["device", "--name", "k", "--broker", "mqtt://192.0.2.1"], "on another machine and without TLS"),
        (["aggregator", "--broker", "mqtt://broker.example"], "on another machine and without TLS"),
        (["device", "--identity", "nowhere.pem"], "nowhere.pem"),
        (["broker", "--host", "0.0.0.0"], "anyone who reaches this port"),
        (["broker", "--host", "0.0.0.0", "--kind", "embedded", "--insecure"], "listens on this machine alone"),
        (["doctor", "--identity", "nowhere.pem"], "identity"),
    ],
)
def test_what_is_not_safe_has_to_be_asked_for(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker elsewhere without TLS, and one that listens to everybody."""
    monkeypatch.chdir(tmp_path)
    code, out, err = inkfleet(capsys, *arguments)
    assert code != 0
    assert says in err + out


def test_an_identity_is_not_used_for_another(fleet: FleetFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """A name or a fleet given beside it has to be its own."""
    (file,) = fleet.enroll(["kitchen"])
    code, _, err = inkfleet(capsys, "device", "--identity", file, "--name", "garden")
    assert (code, "is of name kitchen, but --name is 'garden'" in err) == (2, True)
    code, _, err = inkfleet(capsys, "aggregator", "--identity", file)
    assert (code, "is for device kitchen of fleet school, but one for the aggregator" in err) == (2, True)
    code, _, err = inkfleet(capsys, "device", "--identity", file, "--broker", "mqtt://127.0.0.1")
    assert (code, "without TLS, which an identity needs" in err) == (2, True)
