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
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.brokers import secure_files
from deploy.enrolment.certificates import Authority, certificate_pem, key_pem, new_key, serial_of
from deploy.enrolment.record import FleetRecord, Issued, Withdrawn
from shared import identity, roster
from shared.errors import RunError, SettingsError, StorageError
from shared.files import write_bytes
from shared.folder_lock import FolderLock
from shared.identity import AGGREGATOR, Identity
from shared.roster import Credential, Member, RosterList
from shared.topics import check_name

BROKER = "broker"
RESERVED = (AGGREGATOR, BROKER, "authority", "lock")
"""Names that no device may have, in whatever case."""

_AUTHORITY_DAYS = 3650
_LOCK_S = 20.0
_PASSWORD_BYTES = 24
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


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
            _check_host(host)
        if not hosts:
            raise SettingsError("a fleet needs at least one name or address of its broker: --broker-host")
        if port == password_port:
            raise SettingsError(f"port {port} cannot be for certificates and for passwords; take another")
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            what = "holds a fleet already" if (self.folder / "authority").exists() else "is there and not empty"
            raise SettingsError(f"{self.folder} {what}; choose another --folder (nothing was changed)")
        now = self._clock()
        place = self.folder.absolute()
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
                broker_folder=broker_folder or str(place / BROKER),
                aggregator_key=_public(signing_key),
                broker=aside._certify_broker(authority, hosts, now=now, days=days),
                aggregator=Issued(serial="0", not_after=now),
            )
            record = aside._certify_aggregator(authority, record, signing_key, now=now, days=days)
            aside._publish(authority, record, RosterList(fleet, {}), now=now)
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
            authority, record, listed = self._load()
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
            authority, record, listed = self._load()
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
            SettingsError: one is unknown, or revoked already; then nothing has changed.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = self._load()
            for name in names:
                member = listed.members.get(name)
                if member is None:
                    raise SettingsError(f"no device {name} is enrolled; inkfleet fleet list shows those that are")
                if member.revoked:
                    raise SettingsError(f"device {name} was revoked already")
                listed = _with(listed, _revoked(member, self._clock()))
            self._publish(authority, record, listed, now=self._clock())
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
            _check_host(host)
        with self._held():
            authority, record, listed = self._load()
            now = self._clock()
            record = record.having(
                hosts=tuple(hosts) or record.hosts,
                password_port=password_port or record.password_port,
                broker_folder=broker_folder or record.broker_folder,
            )
            if record.port == record.password_port:
                raise SettingsError(f"port {record.port} cannot be for certificates and for passwords; take another")
            record = record.having(broker=self._certify_broker(authority, record.hosts, now=now, days=days))
            self._publish(authority, record, listed, now=now)

    def renew_aggregator(self, *, days: int = 365, at_once: bool = False, new_signing_key: bool = False) -> None:
        """Make the aggregator's identity anew.

        Args:
            days: how long its certificate is good.
            at_once: revoke the former certificate now.
            new_signing_key: change the key that devices check: every device has to be renewed then.

        Raises:
            SettingsError: the former identity is not in the folder, and its signing key is to be kept.
            RunError, StorageError: see `enroll`.
        """
        with self._held():
            authority, record, listed = self._load()
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
            if at_once:
                gone = Withdrawn(serial=record.aggregator.serial, since=now)
                record = record.having(withdrawn=(*record.withdrawn, gone))
            record = record.having(aggregator_key=_public(signing_key))
            record = self._certify_aggregator(authority, record, signing_key, now=now, days=days)
            self._publish(authority, record, listed, now=now)

    # -- what is known ------------------------------------------------------------------------------------------------

    def record(self) -> FleetRecord:
        """What the authority knows of the fleet.

        Raises:
            SettingsError: there is no fleet in the folder, or its record is damaged.
        """
        if not (self.folder / "authority").exists():
            raise SettingsError(f"there is no fleet's authority in {self.folder}; inkfleet fleet init makes one")
        return FleetRecord.load(self.folder / "authority" / "fleet.json")

    def standings(self) -> list[Standing]:
        """Everything that can expire: authority, broker and aggregator, and the devices by name.

        Raises:
            SettingsError: see `record`.
        """
        record, now = self.record(), self._clock()
        authority = _read_certificate(self.folder / "authority" / "ca.crt")
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

    def _load(self) -> tuple[Authority, FleetRecord, RosterList]:
        record = self.record()
        folder = self.folder / "authority"
        certificate = _read_certificate(folder / "ca.crt")
        try:
            key = load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        except OSError as error:
            raise SettingsError(
                f"the authority's key cannot be read at {folder / 'ca.key'}: {error.strerror or error}; "
                "if it is kept offline, bring it back for this command"
            ) from None
        except (ValueError, TypeError):
            raise SettingsError(f"the authority's key {folder / 'ca.key'} is damaged; take it from a backup") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise SettingsError(f"the authority's key {folder / 'ca.key'} does not fit ca.crt; take both from a backup")
        return Authority(certificate, key, fleet=record.fleet), record, RosterList.load(folder / roster.FILE_NAME)

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
            data, credential, hashed = _bundle(authority, record, name, now=now, days=days, password=password)
            former = listed.members[name].credentials if name in listed.members else ()
            listed = _with(listed, Member(name, (credential, *former)))
            record = record.having(passwords=_without(record.passwords, name) | ({name: hashed} if hashed else {}))
            bundles.append(data)
        self._publish(authority, record, listed, now=now)
        for file, data in zip(files, bundles, strict=True):
            identity.save(file, data)
        return files

    def _publish(self, authority: Authority, record: FleetRecord, listed: RosterList, *, now: datetime) -> None:
        """Write everything that follows from the lists: the authority's own first."""
        gone = {name for name, member in listed.members.items() if member.revoked}
        record = record.having(passwords={name: line for name, line in record.passwords.items() if name not in gone})
        listed.save(self.folder / "authority" / roster.FILE_NAME)
        record.save(self.folder / "authority" / "fleet.json")
        revoked = [(one.serial, one.since) for one in record.withdrawn]
        for name in sorted(listed.members):
            credentials = [one for one in listed.members[name].credentials if one.login == "certificate"]
            revoked += [(one.serial, one.revoked) for one in credentials if one.revoked is not None]
        broker = self.folder / BROKER
        for version, name in (("2.0", secure_files.CONFIGURATION), ("2.1", secure_files.CONFIGURATION_21)):
            text = secure_files.configuration(
                fleet=record.fleet,
                folder=record.broker_folder,
                port=record.port,
                password_port=record.password_port,
                version=version,
            )
            _write_if_changed(broker / name, text)
        _write_if_changed(broker / secure_files.ACCESS_LIST, secure_files.access_list(record.fleet, revoked=gone))
        _write_if_changed(broker / secure_files.PASSWORDS, secure_files.password_file(record.passwords))
        write_bytes(broker / secure_files.REVOKED, authority.revocation_list(revoked, now=now), mode=0o600)
        write_bytes(broker / secure_files.CA, certificate_pem(authority.certificate), mode=0o600)
        listed.save(self.folder / AGGREGATOR / roster.FILE_NAME)

    def _certify_broker(self, authority: Authority, hosts: Sequence[str], *, now: datetime, days: int) -> Issued:
        key = new_key()
        certificate = authority.issue_broker(hosts, key.public_key(), now=now, days=days)
        write_bytes(self.folder / BROKER / secure_files.KEY, key_pem(key), mode=0o600)
        write_bytes(self.folder / BROKER / secure_files.CERTIFICATE, certificate_pem(certificate), mode=0o600)
        return _issued(certificate)

    def _certify_aggregator(
        self, authority: Authority, record: FleetRecord, signing_key: Ed25519PrivateKey, *, now: datetime, days: int
    ) -> FleetRecord:
        key = new_key()
        certificate = authority.issue_client(AGGREGATOR, key.public_key(), now=now, days=days)
        data = identity.encode(
            role="aggregator",
            fleet=record.fleet,
            name=AGGREGATOR,
            broker=record.url(with_password=False),
            authority=authority.certificate,
            aggregator_key=signing_key.public_key(),
            signing_key=signing_key,
            certificate=certificate,
            key=key,
        )
        identity.save(self.folder / AGGREGATOR / identity.FILE_NAME, data)
        return record.having(aggregator=_issued(certificate))

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


def check_device(name: str) -> str:
    """Return a device's name if it can be enrolled.

    Raises:
        SettingsError: it cannot stand in a topic, or is reserved.
    """
    check_name(name, what="device")
    if name.lower() in RESERVED:
        raise SettingsError(f"a device cannot be called {name!r}: the name is reserved; choose another")
    return name


def _bundle(
    authority: Authority, record: FleetRecord, name: str, *, now: datetime, days: int, password: bool
) -> tuple[bytes, Credential, str | None]:
    """Make a device's identity, what the roster says of it, and the hash of its password, if it has one."""
    signing_key = Ed25519PrivateKey.generate()
    if password:
        secret = secrets.token_urlsafe(_PASSWORD_BYTES)
        hashed = secure_files.password_hash(secret, salt=os.urandom(12))
        serial = f"{secrets.randbits(152):X}"
        not_after = min(_after(now, days), authority.certificate.not_valid_after_utc)
        data = identity.encode(
            role="device",
            fleet=record.fleet,
            name=name,
            broker=record.url(with_password=True),
            authority=authority.certificate,
            aggregator_key=record.key(),
            signing_key=signing_key,
            password=secret,
            expires=not_after,
        )
        return data, Credential(serial, "password", signing_key.public_key(), not_after), hashed
    key = new_key()
    certificate = authority.issue_client(name, key.public_key(), now=now, days=days)
    data = identity.encode(
        role="device",
        fleet=record.fleet,
        name=name,
        broker=record.url(with_password=False),
        authority=authority.certificate,
        aggregator_key=record.key(),
        signing_key=signing_key,
        certificate=certificate,
        key=key,
    )
    issued = _issued(certificate)
    return data, Credential(issued.serial, "certificate", signing_key.public_key(), issued.not_after), None


def _with(listed: RosterList, member: Member) -> RosterList:
    return RosterList(listed.fleet, {**listed.members, member.name: member})


def _revoked(member: Member, now: datetime) -> Member:
    since = now.replace(microsecond=0)
    return Member(member.name, tuple(replace(one, revoked=one.revoked or since) for one in member.credentials))


def _without(passwords: dict[str, str], name: str) -> dict[str, str]:
    return {other: line for other, line in passwords.items() if other != name}


def _issued(certificate: x509.Certificate) -> Issued:
    return Issued(serial=serial_of(certificate), not_after=certificate.not_valid_after_utc)


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _after(now: datetime, days: int) -> datetime:
    return (now + timedelta(days=days)).replace(microsecond=0)


def _warning(not_after: datetime, *, now: datetime) -> str:
    return identity.validity_in_words(datetime.min.replace(tzinfo=UTC), not_after, now=now)


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise SettingsError(f"{file} is damaged; take it from a backup") from None


def _write_if_changed(file: Path, text: str) -> None:
    data = text.encode()
    if not file.exists() or file.read_bytes() != data:
        write_bytes(file, data, mode=0o600)


def _check_host(host: str) -> None:
    """Refuse what is no host name (RFC 1123) and no IP address."""
    try:
        ip_address(host)
    except ValueError:
        if len(host) > 253 or not all(_LABEL.match(label) for label in host.split(".")):
            raise SettingsError(
                f"broker host {host!r} is neither a host name nor an IP address; give no scheme and no port"
            ) from None
