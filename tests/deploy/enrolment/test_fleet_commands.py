"""``inkfleet fleet`` and the commands that take an identity, as a person calls them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from deploy.cli import main
from deploy.enrolment import FleetFolder
from shared.identity import Identity


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
    assert (code, f"is without TLS, which identity {file} needs" in err) == (2, True)
