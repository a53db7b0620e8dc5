"""The files of a fleet's folder: what is read to let somebody in, and what is written then."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.brokers import file_set, secure_files
from deploy.enrolment.certificates import Authority, certificate_pem
from deploy.enrolment.names import BROKER
from deploy.enrolment.record import FleetRecord
from shared import roster
from shared.errors import SettingsError
from shared.files import write_bytes
from shared.identity_file import AGGREGATOR
from shared.roster import RosterList


def read_record(folder: Path) -> FleetRecord:
    """Read what the authority knows of the fleet.

    Raises:
        SettingsError: there is no fleet in the folder, or its record is damaged.
    """
    if not (folder / "authority").exists() and (folder / BROKER).exists():
        raise SettingsError(
            f"the fleet's authority is not in {folder}; it is kept offline: bring authority/ back for this command"
        )
    if not (folder / "authority").exists():
        raise SettingsError(f"there is no fleet's authority in {folder}; inkfleet fleet init makes one")
    return FleetRecord.load(folder / "authority" / "fleet.json")


def load(folder: Path) -> tuple[Authority, FleetRecord, RosterList]:
    """Read what the authority needs to let somebody in: its key, its record, and the roster.

    Raises:
        SettingsError: there is no fleet in the folder, or its key is elsewhere, or a file is damaged.
    """
    record = read_record(folder)
    folder = folder / "authority"
    certificate = read_certificate(folder / "ca.crt")
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


def publish(folder: Path, authority: Authority, record: FleetRecord, listed: RosterList, *, now: datetime) -> None:
    """Write the lists, the authority's own first, and everything in the fleet's folder that follows from them.

    Raises:
        StorageError: a file cannot be written. Done again, it is done whole.
    """
    gone = {name for name, member in listed.members.items() if member.revoked}
    record = record.having(passwords={name: line for name, line in record.passwords.items() if name not in gone})
    listed.save(folder / "authority" / roster.FILE_NAME)
    record.save(folder / "authority" / "fleet.json")
    revoked = [(one.serial, one.since) for one in record.withdrawn]
    for name in sorted(listed.members):
        credentials = [one for one in listed.members[name].credentials if one.login == "certificate"]
        revoked += [(one.serial, one.revoked) for one in credentials if one.revoked is not None]
    broker = folder / BROKER
    for version, name in (("2.0", secure_files.CONFIGURATION), ("2.1", secure_files.CONFIGURATION_21)):
        text = secure_files.configuration(
            fleet=record.fleet,
            folder=record.broker_folder,
            port=record.port,
            password_port=record.password_port,
            version=version,
            plugin_folder=record.plugin_folder,
        )
        _write_if_changed(broker / name, text)
    _write_if_changed(broker / secure_files.ACCESS_LIST, secure_files.access_list(record.fleet, revoked=gone))
    _write_if_changed(broker / secure_files.PASSWORDS, secure_files.password_file(record.passwords))
    write_bytes(broker / secure_files.REVOKED, authority.revocation_list(revoked, now=now), mode=0o600)
    write_bytes(broker / secure_files.CA, certificate_pem(authority.certificate), mode=0o600)
    _write_if_changed(broker / file_set.DROP_IN, file_set.drop_in(record.broker_folder))
    listed.save(folder / AGGREGATOR / roster.FILE_NAME)
    # Last: whoever copies the folder meanwhile has files that do not go together, and is told so.
    write_bytes(broker / file_set.CHECKSUMS, file_set.checksums(broker).encode(), mode=0o600)


def read_certificate(file: Path) -> x509.Certificate:
    """Read a certificate.

    Raises:
        SettingsError: it cannot be read.
    """
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
