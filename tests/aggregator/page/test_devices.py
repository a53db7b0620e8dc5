"""What is said of each device, and of how many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aggregator.engine import Rest
from aggregator.page.chronicle import LastUpdate
from aggregator.page.device_rows import MOST_ROWS, device_rows
from aggregator.page.members import Members, Membership
from aggregator.registry import Presence
from deploy.enrolment import FleetFolder
from shared.messages import Failure
from tests.aggregator.page.conftest import presence, standing

FAILED = Failure(run="run-1", round=3, attempt=1, reason="no room")


@pytest.mark.parametrize(
    ("known", "state", "why"),
    [
        (presence(activity="training"), "training", ""),
        (presence(activity="hovering"), "idle", ""),
        (presence(activity="failed", failure=FAILED), "failed", "no room"),
        (presence(paused=True), "paused", ""),
        (presence(online=False), "offline", ""),
    ],
)
def test_what_a_device_does(known: Presence, state: str, why: str) -> None:
    """It is one of a few words, whatever the device calls it, with the reason where there is one."""
    rows = device_rows(standing({"attic": known}), updates={}, members={})
    (row,) = rows["devices"]
    assert (row["state"], row["why"]) == (state, why)
    assert rows["counts"] == {state: 1}
    assert row["invited"]


def test_a_device_that_rests() -> None:
    """Until when and why is said, from the end of the round it failed in to the last round without it."""
    rested = {"attic": Rest("attic", 3, 2, 4, "its disk is full"), "hall": Rest("hall", 1, 2, 2, "once")}
    rows = device_rows(standing({name: presence() for name in rested}, rests=rested), updates={}, members={})
    attic, hall = rows["devices"]
    assert (attic["state"], attic["why"]) == ("resting", "until round 4, after 3 failures in a row: its disk is full")
    assert (hall["state"], hall["failures"]) == ("done", 1)


def test_of_many_the_busy_ones_are_shown() -> None:
    """All are counted; those in trouble or at work come first, and stand in the order of their names."""
    known = {f"d{number:04}": presence(online=False) for number in range(MOST_ROWS + 50)}
    known |= {"z-training": presence(activity="training"), "z-failed": presence(activity="failed")}
    rows = device_rows(standing(known), updates={}, members={})
    names = [row["name"] for row in rows["devices"]]
    assert len(names) == MOST_ROWS
    assert names == sorted(names)
    assert names[-2:] == ["z-failed", "z-training"]
    assert (rows["total"], rows["online"]) == (MOST_ROWS + 52, 2)


def test_before_the_broker_was_reached() -> None:
    """Who was enrolled is known already, and what they did before."""
    member = Membership(revoked=False, expires="2027-05-01", validity="soon")
    rows = device_rows(None, updates={"attic": LastUpdate(1, 9, "accepted")}, members={"attic": member})
    (row,) = rows["devices"]
    assert (row["state"], row["samples"], row["last"]["round"]) == ("unseen", None, 1)
    assert row["member"] == {"expires": "2027-05-01", "validity": "soon"}


def test_who_was_enrolled(tmp_path: Path) -> None:
    """The roster says who belongs to the fleet, until when, and who no longer; it is read again when it changes."""
    now = datetime.now(UTC)
    fleet = FleetFolder(tmp_path / "fleet")
    fleet.init(fleet="school", hosts=["localhost"])
    fleet.enroll(["attic", "hall"])
    clock = [now]
    members = Members(tmp_path / "fleet" / "aggregator", clock=lambda: clock[0])
    assert {name: (one.revoked, one.validity) for name, one in members.look().items()} == {
        "attic": (False, "valid"),
        "hall": (False, "valid"),
    }
    fleet.revoke(["hall"])
    clock[0] = now + timedelta(days=350)
    assert {name: (one.revoked, one.validity) for name, one in members.look().items()} == {
        "attic": (False, "soon"),
        "hall": (True, "soon"),
    }
    assert any("expires" in line for line in members.notices())
    clock[0] = now + timedelta(days=1000)
    assert members.look()["attic"].validity == "expired"
    rows = device_rows(standing({"hall": presence()}), updates={}, members=members.look())
    assert [row["state"] for row in rows["devices"]] == ["unseen", "revoked"]


def test_a_roster_that_is_damaged(tmp_path: Path) -> None:
    """What was read before is still shown, and that it is old is said."""
    fleet = FleetFolder(tmp_path / "fleet")
    fleet.init(fleet="school", hosts=["localhost"])
    fleet.enroll(["attic"])
    members = Members(tmp_path / "fleet" / "aggregator")
    assert set(members.look()) == {"attic"}
    (tmp_path / "fleet" / "aggregator" / "roster.json").write_text("{")
    assert set(members.look()) == {"attic"}
    assert "damaged" in members.notices()[-1]


def test_a_roster_that_comes_back(tmp_path: Path) -> None:
    """The same file, away for a while: nothing is wrong any more."""
    fleet = FleetFolder(tmp_path / "fleet")
    fleet.init(fleet="school", hosts=["localhost"])
    members = Members(tmp_path / "fleet" / "aggregator")
    members.look()
    file = tmp_path / "fleet" / "aggregator" / "roster.json"
    away = file.rename(tmp_path / "away.json")
    members.look()
    assert "cannot be read" in members.notices()[-1]
    away.rename(file)
    members.look()
    assert members.notices() == []
