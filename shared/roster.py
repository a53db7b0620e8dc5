"""Who belongs to a fleet: the list that ``inkfleet fleet`` keeps and the aggregator reads.

A device may hold more than one credential for a while: a renewed one beside the one that it still uses. Nothing in the
list is secret; whoever may write it decides who is believed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.bounded_files import read_bounded
from shared.errors import SettingsError
from shared.files import write_bytes
from shared.topics import check_name
from shared.validity import format_time, parse_time

FILE_NAME = "roster.json"

_VERSION = 1
_LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Credential:
    """What a device was given at one enrolment or renewal.

    Attributes:
        serial: of its certificate, in hexadecimal; of one with a password, a random number.
        login: how it proves itself to the broker.
        key: checks what the device signs with it.
        not_after: when it expires.
        revoked: since when it counts for nothing; None if it does.
    """

    serial: str
    login: Literal["certificate", "password"]
    key: Ed25519PublicKey = field(repr=False)
    not_after: datetime
    revoked: datetime | None = None


@dataclass(frozen=True)
class Member:
    """A device of the fleet.

    Attributes:
        name: the device's.
        credentials: the newest first; at least one.
    """

    name: str
    credentials: tuple[Credential, ...]

    @property
    def newest(self) -> Credential:
        """What the device was given last."""
        return self.credentials[0]

    @property
    def revoked(self) -> bool:
        """Whether the device belongs to the fleet no more."""
        return all(credential.revoked is not None for credential in self.credentials)

    @property
    def not_after(self) -> datetime:
        """When its newest credential expires."""
        return self.newest.not_after

    def keys(self, *, now: datetime) -> tuple[Ed25519PublicKey, ...]:
        """The keys that its signatures are checked with now: of what has neither been revoked nor expired."""
        return tuple(one.key for one in self.credentials if one.revoked is None and now < one.not_after)


@dataclass(frozen=True)
class RosterList:
    """A roster as it stands in its file."""

    fleet: str
    members: Mapping[str, Member]

    def save(self, path: Path) -> None:
        """Write it whole or not at all.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        devices = {
            name: [
                {
                    "serial": one.serial,
                    "login": one.login,
                    "signing_key": base64.b64encode(one.key.public_bytes_raw()).decode(),
                    "not_after": format_time(one.not_after),
                    "revoked": format_time(one.revoked) if one.revoked is not None else None,
                }
                for one in self.members[name].credentials
            ]
            for name in sorted(self.members)
        }
        document = {"version": _VERSION, "fleet": self.fleet, "devices": devices}
        write_bytes(path, (json.dumps(document, indent=1) + "\n").encode(), mode=0o600)

    @classmethod
    def load(cls, path: Path) -> RosterList:
        """Read it.

        Raises:
            SettingsError: it cannot be read, or is damaged.
        """
        data = read_bounded(path, what="roster", most_bytes=_LARGEST_BYTES, error=SettingsError)
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise SettingsError(f"roster {path} is damaged: it is no JSON; copy it anew") from None
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            raise SettingsError(f"roster {path} is damaged: expected version {_VERSION}; copy it anew")
        fleet, devices = document.get("fleet"), document.get("devices")
        if not isinstance(fleet, str) or not isinstance(devices, dict):
            raise SettingsError(f"roster {path} is damaged: its fleet or its devices are missing; copy it anew")
        return cls(fleet, {name: _member(name, given, path) for name, given in devices.items()})


class Roster:
    """The aggregator's view of a roster's file, read again when the file changes. Use it from one thread.

    Args:
        path: the file.
        fleet: whose roster it has to be.
    """

    def __init__(self, path: Path, *, fleet: str) -> None:
        self._path = path
        self._fleet = fleet
        self._seen: tuple[int, int, int] | None = None
        self._list = RosterList(fleet, {})

    def refresh(self) -> bool:
        """Read the file if it is not the one read last; whether it was.

        Raises:
            SettingsError: it cannot be read, is damaged, or is another fleet's; what was read before still holds. It is
                raised once for each change of the file.
        """
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)
        if stamp == self._seen:
            return False
        self._seen = stamp
        read = RosterList.load(self._path)
        if read.fleet != self._fleet:
            raise SettingsError(f"roster {self._path} is of fleet {read.fleet}, expected {self._fleet}")
        self._list = read
        return True

    def get(self, device: str) -> Member | None:
        """The device of this name; None for a stranger."""
        return self._list.members.get(device)

    def __len__(self) -> int:
        """How many devices there are, revoked ones included."""
        return len(self._list.members)


def _member(name: str, given: Any, path: Path) -> Member:
    where = f"roster {path}: device {name!r}"
    check_name(name, what="device")
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        raise SettingsError(f"{where} is damaged: expected its credentials; copy the roster anew")
    return Member(name, tuple(_credential(one, where) for one in given))


def _credential(given: dict[str, Any], where: str) -> Credential:
    serial, login = given.get("serial"), given.get("login")
    if not isinstance(serial, str) or login not in ("certificate", "password"):
        raise SettingsError(f"{where} is damaged: expected a serial and a login; copy the roster anew")
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(given.get("signing_key", ""), validate=True))
    except (ValueError, TypeError):
        raise SettingsError(f"{where} is damaged: expected a signing key in base64; copy the roster anew") from None
    revoked = given.get("revoked")
    return Credential(
        serial=serial,
        login=login,
        key=key,
        not_after=parse_time(given.get("not_after"), where=where),
        revoked=None if revoked is None else parse_time(revoked, where=where),
    )
