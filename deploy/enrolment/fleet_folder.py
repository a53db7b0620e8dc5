"""A fleet's folder: who belongs to the fleet, and the files that each machine needs, apart from one another.

::

    fleet/
      authority/   the authority's key, and what it knows of the fleet: for enrolling only, can be kept offline
      broker/      what the broker's machine needs
      aggregator/  what the aggregator's machine needs
      devices/     one file for each device, until it has been copied there
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.brokers import secure_files
from deploy.enrolment.certificates import Authority, certificate_pem, key_pem, new_key, serial_of
from deploy.enrolment.credentials import equip_aggregator, equip_device, issued
from deploy.enrolment.fleet_files import load, publish, read_certificate, read_record
from deploy.enrolment.names import BROKER, check_device, check_folder, check_host
from deploy.enrolment.record import FleetRecord, Issued, Withdrawn
from shared import identity, roster
from shared.errors import RunError, SettingsError, StorageError
from shared.files import write_bytes
from shared.folder_lock import FolderLock
from shared.identity import AGGREGATOR, Identity
from shared.roster import Member, RosterList
from shared.topics import check_name

_AUTHORITY_DAYS = 3650
_LOCK_S = 20.0


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
        days: int = 365,
    ) -> None:
        """Make the fleet: its authority, and what broker and aggregator need.

        Args:
            fleet: the fleet's name.
            hosts: the broker's names and IP addresses; devices are told the first.
            port: where it listens for certificates.
            password_port: where it listens for passwords; None for nowhere.
            broker_folder: where its files will lie on its machine; None for where they are made.
            days: how long the broker's and the aggregator's certificates are good.

        Raises:
            SettingsError: a name or port cannot be, or the folder holds something already.
            StorageError: the folder cannot be written.
        """
        check_name(fleet, what="fleet")
        for host in hosts:
            check_host(host)
        if not hosts:
            raise SettingsError("a fleet needs at least one name or address of its broker: --broker-host")
        if port == password_port:
            raise SettingsError(f"port {port} cannot be for certificates and for passwords; take another")
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            what = "holds a fleet already" if (self.folder / "authority").exists() else "is there and not empty"
            raise SettingsError(f"{self.folder} {what}; choose another --folder (nothing was changed)")
        now = self._clock()
        place = self.folder.absolute()
        broker_folder = check_folder(broker_folder or str(place / BROKER))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            # Made aside and put in place in one step: a fleet is whole, or not there. mkdtemp makes it its owner's.
            made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
        except OSError as error:
            raise StorageError(f"cannot write {place.parent}: {error.strerror or error}") from None
        try:
            for name in ("authority", BROKER, AGGREGATOR, "devices"):
                (made / name).mkdir(mode=0o700)
            authority, authority_key = Authority.make(fleet=fleet, now=now, days=_AUTHORITY_DAYS)
            write_bytes(made / "authority" / "ca.key", key_pem(authority_key), mode=0o600)
            write_bytes(made / "authority" / "ca.crt", certificate_pem(authority.certificate))
            signing_key = Ed25519PrivateKey.generate()
            aside = FleetFolder(made, clock=self._clock)
            record = FleetRecord(
                version=1,
                fleet=fleet,
                hosts=tuple(hosts),
                port=port,
                password_port=password_port,
                broker_folder=broker_folder,
                aggregator_key="",
                broker=aside._certify_broker(authority, hosts, now=now, days=days),
                aggregator=Issued(serial="0", not_after=now),
            )
            record = aside._certify_aggregator(authority, record, signing_key, now=now, days=days)
            publish(made, authority, record, RosterList(fleet, {}), now=now)
            made.rename(place)
        except OSError as error:
            raise SettingsError(f"{self.folder} cannot be made: {error.strerror or error}") from None
        finally:
            shutil.rmtree(made, ignore_errors=True)

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
                if name in listed.members and not listed.members[name].revoked:
                    raise SettingsError(f"device {name} is enrolled already; inkfleet fleet renew {name} makes it anew")
            return self._equip(authority, record, listed, names, days=days, password=password, out=out)

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
            member = listed.members.get(name)
            if member is None or member.revoked:
                what = "is not enrolled" if member is None else "was revoked"
                raise SettingsError(f"device {name} {what}; inkfleet fleet enroll {name} lets it in")
            password = member.newest.login == "password"
            if at_once or password:
                listed = _with(listed, _revoked(member, self._clock()))
            waiting = self._bundle(name)
            if out is None:
                waiting.unlink(missing_ok=True)
            return self._equip(authority, record, listed, [name], days=days, password=password, out=out)[0]

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
                listed = _with(listed, _revoked(member, self._clock()))
            publish(self.folder, authority, record, listed, now=self._clock())
            for name in names:
                self._bundle(name).unlink(missing_ok=True)

    def renew_broker(
        self,
        *,
        hosts: Sequence[str] = (),
        password_port: int | None = None,
        broker_folder: str | None = None,
        days: int = 365,
    ) -> None:
        """Make the broker's key, certificate and configuration anew.

        Args:
            hosts: its names and addresses; none for those it has.
            password_port: where it listens for passwords; None for what it has.
            broker_folder: where its files lie on its machine; None for what it has.
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
            )
            if record.port == record.password_port:
                raise SettingsError(f"port {record.port} cannot be for certificates and for passwords; take another")
            record = record.having(broker=self._certify_broker(authority, record.hosts, now=now, days=days))
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
            if new_signing_key:
                signing_key = Ed25519PrivateKey.generate()
            else:
                file = self.folder / AGGREGATOR / identity.FILE_NAME
                if not file.exists():
                    raise SettingsError(
                        f"the aggregator's signing key is not at {file}: copy the file back, or take --new-signing-key"
                    )
                signing_key = Identity.load(file, role="aggregator").signing_key
            good = tuple(one for one in (*record.former_aggregators, record.aggregator) if now < one.not_after)
            if at_once:
                gone = tuple(Withdrawn(serial=one.serial, since=now) for one in good)
                record, good = record.having(withdrawn=(*record.withdrawn, *gone)), ()
            record = record.having(former_aggregators=good)
            record = self._certify_aggregator(authority, record, signing_key, now=now, days=days)
            publish(self.folder, authority, record, listed, now=now)

    # -- what is known ------------------------------------------------------------------------------------------------

    def record(self) -> FleetRecord:
        """What the authority knows of the fleet.

        Raises:
            SettingsError: there is no fleet in the folder, or its record is damaged.
        """
        return read_record(self.folder)

    def standings(self) -> list[Standing]:
        """Everything that can expire: authority, broker and aggregator, and the devices by name.

        Raises:
            SettingsError: see `record`.
        """
        record, now = self.record(), self._clock()
        authority = read_certificate(self.folder / "authority" / "ca.crt")
        parts = (
            ("authority", Issued(serial=serial_of(authority), not_after=authority.not_valid_after_utc)),
            (BROKER, record.broker),
            (AGGREGATOR, record.aggregator),
        )
        lines = [
            Standing(name, "certificate", one.serial, one.not_after, None, _warning(one.not_after, now=now))
            for name, one in parts
        ]
        members = RosterList.load(self.folder / "authority" / roster.FILE_NAME).members
        for name in sorted(members):
            newest = members[name].newest
            revoked = newest.revoked if members[name].revoked else None
            warning = "" if revoked else _warning(newest.not_after, now=now)
            lines.append(Standing(name, newest.login, newest.serial, newest.not_after, revoked, warning))
        return lines

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

    def _equip(
        self,
        authority: Authority,
        record: FleetRecord,
        listed: RosterList,
        names: Sequence[str],
        *,
        days: int,
        password: bool,
        out: Path | None,
    ) -> list[Path]:
        """Give devices new credentials: on the lists first, so that nothing is good that is on no list."""
        if password and record.password_port is None:
            raise SettingsError(
                "this fleet's broker has no port for passwords; "
                "inkfleet fleet renew broker --password-port 8884 adds one"
            )
        files = [self._destination(name, out, alone=len(names) == 1) for name in names]
        for file in files:
            if file.exists():
                raise SettingsError(f"{file} is there already; move it away, or choose another --out")
        now = self._clock()
        bundles = []
        for name in names:
            data, credential, hashed = equip_device(authority, record, name, now=now, days=days, password=password)
            former = listed.members[name].credentials if name in listed.members else ()
            listed = _with(listed, Member(name, (credential, *former)))
            record = record.having(passwords=_without(record.passwords, name) | ({name: hashed} if hashed else {}))
            bundles.append(data)
        publish(self.folder, authority, record, listed, now=now)
        for file, data in zip(files, bundles, strict=True):
            identity.save(file, data)
        return files

    def _certify_broker(self, authority: Authority, hosts: Sequence[str], *, now: datetime, days: int) -> Issued:
        key = new_key()
        certificate = authority.issue_broker(hosts, key.public_key(), now=now, days=days)
        write_bytes(self.folder / BROKER / secure_files.KEY, key_pem(key), mode=0o600)
        write_bytes(self.folder / BROKER / secure_files.CERTIFICATE, certificate_pem(certificate), mode=0o600)
        return issued(certificate)

    def _certify_aggregator(
        self, authority: Authority, record: FleetRecord, signing_key: Ed25519PrivateKey, *, now: datetime, days: int
    ) -> FleetRecord:
        data, number = equip_aggregator(authority, record, signing_key, now=now, days=days)
        identity.save(self.folder / AGGREGATOR / identity.FILE_NAME, data)
        key = base64.b64encode(signing_key.public_key().public_bytes_raw()).decode()
        return record.having(aggregator=number, aggregator_key=key)

    def _bundle(self, name: str) -> Path:
        return self.folder / "devices" / f"{name}.pem"

    def _destination(self, name: str, out: Path | None, *, alone: bool) -> Path:
        if out is None:
            return self._bundle(name)
        if out.is_dir():
            return out / f"{name}.pem"
        if not alone:
            raise SettingsError(f"--out {out} must be a folder that is there, where there is more than one device")
        return out


def _with(listed: RosterList, member: Member) -> RosterList:
    return RosterList(listed.fleet, {**listed.members, member.name: member})


def _revoked(member: Member, now: datetime) -> Member:
    since = now.replace(microsecond=0)
    return Member(member.name, tuple(replace(one, revoked=one.revoked or since) for one in member.credentials))


def _without(passwords: dict[str, str], name: str) -> dict[str, str]:
    return {other: line for other, line in passwords.items() if other != name}


def _warning(not_after: datetime, *, now: datetime) -> str:
    return identity.validity_in_words(datetime.min.replace(tzinfo=UTC), not_after, now=now)
