"""Whose signatures an enrolled aggregator takes, as the roster changes beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.enrolment import FleetFolder
from shared.enrolled import RosterCheck, aggregator_credentials, device_credentials
from shared.errors import ProtocolError, SettingsError
from shared.roster import Roster
from shared.topics import Topics

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
TOPICS = Topics("school")
TOPIC = TOPICS.update("kitchen")


class Clock:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def fleet(tmp_path: Path) -> FleetFolder:
    """A fleet with two devices."""
    made = FleetFolder(tmp_path / "fleet", clock=lambda: NOW)
    made.init(fleet="school", hosts=("localhost",))
    made.enroll(["kitchen", "garden"], days=100)
    return made


def signed(fleet: FleetFolder, name: str, topic: str = TOPIC) -> bytes:
    """A message that a device signed with what it was given last."""
    return device_credentials(fleet.folder / "devices" / f"{name}.pem").seal.sign(topic, b'{"round":1}')


@pytest.fixture
def clock() -> Clock:
    """Set at the time of enrolment."""
    return Clock()


@pytest.fixture
def check(fleet: FleetFolder, clock: Clock) -> RosterCheck:
    """What the aggregator goes by."""
    roster = Roster(fleet.folder / "aggregator" / "roster.json", fleet="school")
    return RosterCheck(roster, fleet="school", clock=clock)


def test_each_device_signs_for_itself(fleet: FleetFolder, check: RosterCheck) -> None:
    """Its own signature is taken, another's is not, nor that of one who is on no list."""
    check.check(TOPIC, signed(fleet, "kitchen"))
    with pytest.raises(ProtocolError, match="signature does not fit"):
        check.check(TOPIC, signed(fleet, "garden"))
    with pytest.raises(ProtocolError, match="stranger is not on the roster"):
        check.check(TOPICS.update("stranger"), signed(fleet, "kitchen", TOPICS.update("stranger")))


def test_a_change_of_the_roster_holds_from_the_next_message_on(fleet: FleetFolder, check: RosterCheck) -> None:
    """New devices are taken, revoked ones are not, and the aggregator goes on."""
    fleet.enroll(["porch"])
    check.check(TOPICS.update("porch"), signed(fleet, "porch", TOPICS.update("porch")))
    said = signed(fleet, "kitchen")
    fleet.revoke(["kitchen"])
    with pytest.raises(ProtocolError, match="kitchen was revoked"):
        check.check(TOPIC, said)
    check.check(TOPICS.update("garden"), signed(fleet, "garden", TOPICS.update("garden")))


def test_a_renewed_device_is_taken_with_either_key(fleet: FleetFolder, check: RosterCheck, clock: Clock) -> None:
    """Until the former credential has expired; after both have, with none."""
    old = signed(fleet, "kitchen")
    fleet.renew("kitchen", days=200)
    new = signed(fleet, "kitchen")
    check.check(TOPIC, old)
    check.check(TOPIC, new)
    clock.now = NOW + timedelta(days=101)
    check.check(TOPIC, new)
    with pytest.raises(ProtocolError, match="signature does not fit"):
        check.check(TOPIC, old)
    clock.now = NOW + timedelta(days=201)
    with pytest.raises(ProtocolError, match="kitchen has credentials that have expired"):
        check.check(TOPIC, new)


def test_a_renewed_device_that_runs_on_with_what_was_revoked_is_turned_away(
    fleet: FleetFolder, check: RosterCheck, clock: Clock
) -> None:
    """As long as it signs with that, and where it is first heard of then as well; with its new key it is back."""
    old, other = signed(fleet, "kitchen"), TOPICS.update("garden")
    check.check(TOPIC, old)
    check.check(other, signed(fleet, "garden", other))
    fleet.renew("kitchen", at_once=True)
    later = RosterCheck(
        Roster(fleet.folder / "aggregator" / "roster.json", fleet="school"), fleet="school", clock=clock
    )
    assert not later.turned_away(["kitchen"])
    for one in (check, later):
        with pytest.raises(ProtocolError, match="signature does not fit"):
            one.check(TOPIC, old)
        away = one.turned_away(["kitchen", "garden"])
        assert set(away) == {"kitchen"}
        assert "start it with its new one" in away["kitchen"]
    new = signed(fleet, "kitchen")
    for one in (check, later):
        one.check(TOPIC, new)
        # Kept and said again by whoever still has it, it does not turn away the device that is here.
        with pytest.raises(ProtocolError, match="signature does not fit"):
            one.check(TOPIC, old)
        assert not one.turned_away(["kitchen", "garden"])


def test_a_renewed_device_that_runs_on_until_it_expires_is_turned_away(
    fleet: FleetFolder, check: RosterCheck, clock: Clock
) -> None:
    """Its new credential is good, and elsewhere."""
    check.check(TOPIC, signed(fleet, "kitchen"))
    fleet.renew("kitchen", days=200)
    assert not check.turned_away(["kitchen"])
    clock.now = NOW + timedelta(days=101)
    assert set(check.turned_away(["kitchen"])) == {"kitchen"}


def test_an_aggregator_without_its_roster_does_not_begin(fleet: FleetFolder) -> None:
    """It would take nothing from anybody, and say so message by message."""
    assert aggregator_credentials(fleet.folder / "aggregator").enrolled
    (fleet.folder / "aggregator" / "roster.json").unlink()
    with pytest.raises(SettingsError, match=r"roster\.json: No such file"):
        aggregator_credentials(fleet.folder / "aggregator")


def test_without_an_identity_nothing_is_signed() -> None:
    """As in the demonstration on one machine."""
    assert device_credentials(None).seal.sign(TOPIC, b'{"round":1}') == b'{"round":1}'
    assert not aggregator_credentials(None).enrolled
