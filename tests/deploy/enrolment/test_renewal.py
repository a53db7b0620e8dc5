"""What a renewal and a revocation leave good, and what they end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deploy.enrolment import FleetFolder
from shared.errors import SettingsError
from shared.identity import Identity
from shared.roster import Roster
from tests.deploy.enrolment.conftest import NOW, revoked


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
