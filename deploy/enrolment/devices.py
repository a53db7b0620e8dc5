"""Devices' bundles in a fleet's folder, and what the roster says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from deploy.enrolment.certificates import Authority
from deploy.enrolment.credentials import equip_device
from deploy.enrolment.fleet_files import publish
from deploy.enrolment.grants import grant
from deploy.enrolment.record import FleetRecord
from deploy.enrolment.requests import Request
from shared import identity_file
from shared.errors import SettingsError
from shared.roster import Member, RosterList


def equip_devices(
    folder: Path,
    authority: Authority,
    record: FleetRecord,
    listed: RosterList,
    names: Sequence[str],
    *,
    now: datetime,
    days: int,
    password: bool,
    out: Path | None,
) -> list[Path]:
    """Give devices new credentials: on the lists first, so that nothing is good that is on no list.

    Args:
        folder: the fleet's.
        authority: certifies them.
        record: of the fleet.
        listed: the roster so far.
        names: the devices'.
        now: the time.
        days: how long they are good.
        password: whether they log in at the broker with a password, or else with a certificate.
        out: the file for one device, or a folder; None for ``devices/``.

    Returns:
        The files, one for each name.

    Raises:
        SettingsError: the broker has no port for passwords, or a file is there already.
        StorageError: a file cannot be written.
    """
    if password and record.password_port is None:
        raise SettingsError(
            "this fleet's broker has no port for passwords; inkfleet fleet renew broker --password-port 8884 adds one"
        )
    files = [_destination(folder, name, out, alone=len(names) == 1) for name in names]
    for file in files:
        if file.exists():
            raise SettingsError(f"{file} is there already; move it away, or choose another --out")
    bundles = []
    for name in names:
        data, credential, hashed = equip_device(authority, record, name, now=now, days=days, password=password)
        former = listed.members[name].credentials if name in listed.members else ()
        listed = with_member(listed, Member(name, (credential, *former)))
        passwords = {other: line for other, line in record.passwords.items() if other != name}
        record = record.having(passwords=passwords | ({name: hashed} if hashed else {}))
        bundles.append(data)
    publish(folder, authority, record, listed, now=now)
    for file, data in zip(files, bundles, strict=True):
        identity_file.save(file, data)
    return files


def grant_device(
    folder: Path,
    authority: Authority,
    record: FleetRecord,
    listed: RosterList,
    request: Request,
    *,
    now: datetime,
    days: int,
    out: Path | None,
    replacing: bool = False,
) -> Path:
    """Certify the keys that a device asked with: on the lists first, as in `equip_devices`.

    Args:
        folder: the fleet's.
        authority: certifies them.
        record: of the fleet.
        listed: the roster so far.
        request: the device's.
        now: the time.
        days: how long they are good.
        out: the answer's file, or a folder; None for ``devices/``.
        replacing: whether an answer that is there already gives way.

    Returns:
        The answer's file.

    Raises:
        SettingsError: the keys are another device's or were revoked, or the file is there already.
        StorageError: a file cannot be written.
    """
    for member in listed.members.values():
        # What was revoked would be good again by it. A device may have its answer made anew.
        known = [one for one in member.credentials if one.key == request.signing_key]
        if any(one.revoked is not None or member.name != request.name for one in known):
            raise SettingsError(
                f"device {request.name} asks with keys that {member.name} was enrolled with; "
                "have it ask with new ones (inkfleet fleet request)"
            )
    file = waiting_grant(folder, request.name) if out is None else out
    if file.is_dir():
        file = file / waiting_grant(folder, request.name).name
    if file.exists() and not replacing:
        raise SettingsError(f"{file} is there already; move it away, or choose another --out")
    data, credential = grant(authority, record, request, now=now, days=days)
    former = listed.members[request.name].credentials if request.name in listed.members else ()
    listed = with_member(listed, Member(request.name, (credential, *former)))
    record = record.having(passwords={name: line for name, line in record.passwords.items() if name != request.name})
    publish(folder, authority, record, listed, now=now)
    identity_file.save(file, data)
    return file


def waiting_grant(folder: Path, name: str) -> Path:
    """Where the answer to a device's request waits until it is copied to the device."""
    return folder / "devices" / f"{name}.granted"


def waiting_bundle(folder: Path, name: str) -> Path:
    """Where a device's file waits until it is copied to the device."""
    return folder / "devices" / f"{name}.pem"


def with_member(listed: RosterList, member: Member) -> RosterList:
    """The roster with a member in place of whoever had its name."""
    return RosterList(listed.fleet, {**listed.members, member.name: member})


def revoked(member: Member, *, now: datetime) -> Member:
    """The member with none of its credentials good any more."""
    since = now.replace(microsecond=0)
    return Member(member.name, tuple(replace(one, revoked=one.revoked or since) for one in member.credentials))


def _destination(folder: Path, name: str, out: Path | None, *, alone: bool) -> Path:
    if out is None:
        return waiting_bundle(folder, name)
    if out.is_dir():
        return out / f"{name}.pem"
    if not alone:
        raise SettingsError(f"--out {out} must be a folder that is there, where there is more than one device")
    return out
