"""What ``inkfleet fleet`` promises about its folder: whole or not at all, one at a time, and nothing overwritten."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from deploy.enrolment import FleetFolder
from shared.errors import SettingsError, StorageError
from shared.identity import Identity
from shared.roster import Roster
from tests.deploy.enrolment.conftest import contents, revoked


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
        patched.setattr("shared.identity_file.save", killed)
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
