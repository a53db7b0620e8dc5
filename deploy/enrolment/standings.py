"""What can expire in a fleet, and until when it is good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.enrolment.certificates import serial_of
from deploy.enrolment.fleet_files import read_certificate, read_record
from deploy.enrolment.names import BROKER
from deploy.enrolment.record import Issued
from shared import roster
from shared.identity_file import AGGREGATOR
from shared.roster import RosterList
from shared.validity import validity_in_words


@dataclass(frozen=True)
class Standing:
    """One line of the list: whose credential, and until when.

    Attributes:
        name: a device's, or ``authority``, ``broker``, ``aggregator``.
        login: ``certificate`` or ``password``.
        serial: of the newest credential.
        not_after: when that expires.
        revoked: since when the device belongs to the fleet no more; None if it does.
        warning: what is to be done about it; empty for nothing.
    """

    name: str
    login: str
    serial: str
    not_after: datetime
    revoked: datetime | None
    warning: str


def read_standings(folder: Path, *, now: datetime) -> list[Standing]:
    """Read a fleet's folder: authority, broker and aggregator, and the devices by name.

    Raises:
        SettingsError: there is no fleet in the folder, or its record is damaged.
    """
    record = read_record(folder)
    authority = read_certificate(folder / "authority" / "ca.crt")
    parts = (
        ("authority", Issued(serial=serial_of(authority), not_after=authority.not_valid_after_utc)),
        (BROKER, record.broker),
        (AGGREGATOR, record.aggregator),
    )
    lines = [
        Standing(name, "certificate", one.serial, one.not_after, None, _warning(one.not_after, now=now))
        for name, one in parts
    ]
    members = RosterList.load(folder / "authority" / roster.FILE_NAME).members
    for name in sorted(members):
        newest = members[name].newest
        revoked = newest.revoked if members[name].revoked else None
        warning = "" if revoked else _warning(newest.not_after, now=now)
        lines.append(Standing(name, newest.login, newest.serial, newest.not_after, revoked, warning))
    return lines


def _warning(not_after: datetime, *, now: datetime) -> str:
    return validity_in_words(datetime.min.replace(tzinfo=UTC), not_after, now=now)
