"""A fleet's folder: who belongs to the fleet, and the files that each machine needs, apart from one another.

::

    fleet/
      authority/   the authority's key, and what it knows of the fleet: for enrolling only, can be kept offline
      broker/      what the broker's machine needs
      aggregator/  what the aggregator's machine needs
      devices/     one file for each device, until it has been copied there
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.enrolment.devices import (
    equip_devices,
    grant_device,
    revoked,
    waiting_bundle,
    waiting_grant,
    with_member,
)
from deploy.enrolment.fleet_files import load, publish, read_certificate, read_record
from deploy.enrolment.founding import found
from deploy.enrolment.grants import fleet_fingerprint
from deploy.enrolment.names import check_device, check_folder, check_host, check_ports
from deploy.enrolment.record import FleetRecord, Withdrawn
from deploy.enrolment.requests import Request
from deploy.enrolment.servers import certify_aggregator, certify_broker, read_signing_key
from deploy.enrolment.standings import Standing, read_standings
from shared.errors import RunError, SettingsError
from shared.folder_lock import FolderLock
from shared.roster import Member, RosterList

_LOCK_S = 20.0


def _now() -> datetime:
    return datetime.now(UTC)


class FleetFolder:
    """A fleet's folder. Each method is done whole or refuses; two at the same time wait for one another.

    Args:
        folder: the folder.
        clock: gives the time, with its zone.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], datetime] = _now) -> None:
        self.folder = folder
        self._clock = clock

    # -- what is done -------------------------------------------------------------------------------------------------

    def init(
        self,
        *,
        fleet: str,
        hosts: Sequence[str],
        port: int = 8883,
        password_port: int | None = None,
        broker_folder: str | None = None,
        plugin_folder: str | None = None,
        days: int = 365,
    ) -> None:
        """Make the fleet: its authority, and what broker and aggregator need.

        Args:
            fleet: the fleet's name.
            hosts: the broker's names and IP addresses; devices are told the first.
            port: where it listens for certificates.
            password_port: where it listens for passwords; None for nowhere.
            broker_folder: where its files will lie on its machine; None for where they are made.
            plugin_folder: where Mosquitto 2.1 has its plugins there; None for where its container image has them.
            days: how long the broker's and the aggregator's certificates are good.

        Raises:
            SettingsError: a name or port cannot be, or the folder holds something already.
            StorageError: the folder cannot be written.
        """
        found(
            self.folder,
            fleet=fleet,
            hosts=hosts,
            port=port,
            password_port=password_port,
            broker_folder=broker_folder,
            plugin_folder=plugin_folder,
            now=self._clock(),
            days=days,
        )

    def enroll(
        self, names: Sequence[str], *, days: int = 365, password: bool = False, out: Path | None = None
    ) -> list[Path]:
        """Make the identities of new devices; all of them, or none.

        Args:
            names: the devices'.
            days: how long they are good.
            password: log in at the broker with a password in place of a certificate.
            out: the file for one device, or a folder; None for ``devices/``.

        Returns:
            The files, one for each name.

        Raises:
            SettingsError: a name cannot be, is enrolled already, or its file is there already.
            RunError: another command holds the folder for too long.
            StorageError: a file cannot be written.
        """
        for name in names:
            check_device(name)
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SettingsError(f"device {twice} is named twice; name each once")
        with self._held():
            authority, record, listed = load(self.folder)
            for name in names:
                _check_free(listed, name)
            now = self._clock()
            return equip_devices(
                self.folder, authority, record, listed, names, now=now, days=days, password=password, out=out
            )

    def renew(self, name: str, *, days: int = 365, at_once: bool = False, out: Path | None = None) -> Path:
        """Make a device's identity anew, with new keys. What it had is good until it expires.

        Args:
            name: the device's.
            days: how long the new one is good.
            at_once: revoke what it had now.
            out: the new file, or a folder for it; None for ``devices/``.

        Raises:
            SettingsError: the device is unknown or revoked, or the file is there already.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = load(self.folder)
            member = _enrolled(listed, name)
            password, now = member.newest.login == "password", self._clock()
            if at_once or password:
                listed = with_member(listed, revoked(member, now=now))
            if out is None:
                waiting_bundle(self.folder, name).unlink(missing_ok=True)
            (file,) = equip_devices(
                self.folder, authority, record, listed, [name], now=now, days=days, password=password, out=out
            )
            return file

    def grant(
        self,
        request: Request,
        *,
        renewing: bool = False,
        at_once: bool = False,
        days: int = 365,
        out: Path | None = None,
    ) -> Path:
        """Let a device in, or renew it, with the keys that it asked with: they are its own, and nobody else sees them.

        Args:
            request: the device's.
            renewing: the device is enrolled already; or else it must not be.
            at_once: revoke what it had now.
            days: how long the certificate is good.
            out: the answer's file, or a folder for it; None for ``devices/``.

        Returns:
            The answer's file, with nothing secret in it.

        Raises:
            SettingsError: the device is enrolled already, or is not, its keys are another's or were revoked, or the
                file is there already.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = load(self.folder)
            now = self._clock()
            if renewing:
                member = _enrolled(listed, request.name)
                if at_once or member.newest.login == "password":
                    listed = with_member(listed, revoked(member, now=now))
            else:
                _check_free(listed, request.name)
            return grant_device(
                self.folder,
                authority,
                record,
                listed,
                request,
                now=now,
                days=days,
                out=out,
                replacing=renewing and out is None,
            )

    def revoke(self, names: Sequence[str]) -> None:
        """Take devices out of the fleet.

        Raises:
            SettingsError: one is unknown, or revoked already; then nobody else was revoked, and the lists are whole.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = load(self.folder)
            for name in names:
                member = listed.members.get(name)
                if member is None:
                    raise SettingsError(f"no device {name} is enrolled; inkfleet fleet list shows those that are")
                if member.revoked:
                    # The lists that follow from it may not be written yet: the disk was full, or the command killed.
                    publish(self.folder, *load(self.folder), now=self._clock())
                    raise SettingsError(f"device {name} was revoked already")
                listed = with_member(listed, revoked(member, now=self._clock()))
            publish(self.folder, authority, record, listed, now=self._clock())
            for name in names:
                waiting_bundle(self.folder, name).unlink(missing_ok=True)
                waiting_grant(self.folder, name).unlink(missing_ok=True)

    def renew_broker(
        self,
        *,
        hosts: Sequence[str] = (),
        password_port: int | None = None,
        broker_folder: str | None = None,
        plugin_folder: str | None = None,
        days: int = 365,
    ) -> None:
        """Make the broker's key, certificate and configuration anew.

        Args:
            hosts: its names and addresses; none for those it has.
            password_port: where it listens for passwords; None for what it has.
            broker_folder: where its files lie on its machine; None for what it has.
            plugin_folder: where Mosquitto 2.1 has its plugins there; None for what it has.
            days: how long the certificate is good.

        Raises:
            SettingsError: a name or port cannot be.
            RunError, StorageError: see `enroll`.
        """
        for host in hosts:
            check_host(host)
        with self._held():
            authority, record, listed = load(self.folder)
            now = self._clock()
            record = record.having(
                hosts=tuple(hosts) or record.hosts,
                password_port=password_port or record.password_port,
                broker_folder=check_folder(broker_folder or record.broker_folder),
                plugin_folder=check_folder(plugin_folder or record.plugin_folder),
            )
            check_ports(record.port, record.password_port)
            record = record.having(broker=certify_broker(self.folder, authority, record.hosts, now=now, days=days))
            publish(self.folder, authority, record, listed, now=now)

    def renew_aggregator(self, *, days: int = 365, at_once: bool = False, new_signing_key: bool = False) -> None:
        """Make the aggregator's identity anew.

        Args:
            days: how long its certificate is good.
            at_once: revoke every former certificate now.
            new_signing_key: change the key that devices check: every device has to be renewed then.

        Raises:
            SettingsError: the former identity is not in the folder, and its signing key is to be kept.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = load(self.folder)
            now = self._clock()
            signing_key = Ed25519PrivateKey.generate() if new_signing_key else read_signing_key(self.folder)
            good = tuple(one for one in (*record.former_aggregators, record.aggregator) if now < one.not_after)
            if at_once:
                gone = tuple(Withdrawn(serial=one.serial, since=now) for one in good)
                record, good = record.having(withdrawn=(*record.withdrawn, *gone)), ()
            record = record.having(former_aggregators=good)
            record = certify_aggregator(self.folder, authority, record, signing_key, now=now, days=days)
            publish(self.folder, authority, record, listed, now=now)

    # -- what is known ------------------------------------------------------------------------------------------------

    def record(self) -> FleetRecord:
        """What the authority knows of the fleet.

        Raises:
            SettingsError: there is no fleet in the folder, or its record is damaged.
        """
        return read_record(self.folder)

    def fingerprint(self) -> str:
        """Tell this fleet's authority from all others, for a person to compare.

        Raises:
            SettingsError: see `record`.
        """
        return fleet_fingerprint(read_certificate(self.folder / "authority" / "ca.crt"))

    def standings(self) -> list[Standing]:
        """Everything that can expire: authority, broker and aggregator, and the devices by name.

        Raises:
            SettingsError: see `record`.
        """
        return read_standings(self.folder, now=self._clock())

    # -- how ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the folder, after those that hold it now."""
        self.record()
        deadline = time.monotonic() + _LOCK_S
        while True:
            lock = FolderLock(self.folder, holder="inkfleet fleet command")
            try:
                lock.__enter__()
                break
            except RunError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


def _check_free(listed: RosterList, name: str) -> None:
    if name in listed.members and not listed.members[name].revoked:
        raise SettingsError(f"device {name} is enrolled already; inkfleet fleet renew {name} makes it anew")


def _enrolled(listed: RosterList, name: str) -> Member:
    member = listed.members.get(name)
    if member is None or member.revoked:
        what = "is not enrolled" if member is None else "was revoked"
        raise SettingsError(f"device {name} {what}; inkfleet fleet enroll {name} lets it in")
    return member
