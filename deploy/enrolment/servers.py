"""The broker's and the aggregator's certificates and keys, in their parts of a fleet's folder."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.brokers import secure_files
from deploy.enrolment.certificates import Authority, certificate_pem, key_pem, new_key
from deploy.enrolment.credentials import equip_aggregator, issued
from deploy.enrolment.names import BROKER
from deploy.enrolment.record import FleetRecord, Issued
from shared import identity_file
from shared.errors import SettingsError
from shared.files import write_bytes
from shared.identity import Identity
from shared.identity_file import AGGREGATOR


def certify_broker(folder: Path, authority: Authority, hosts: Sequence[str], *, now: datetime, days: int) -> Issued:
    """Write a new key and certificate for the broker.

    Args:
        folder: the fleet's.
        authority: certifies it.
        hosts: its names and IP addresses.
        now: the time.
        days: how long it is good.

    Returns:
        The certificate's number.
    """
    key = new_key()
    certificate = authority.issue_broker(hosts, key.public_key(), now=now, days=days)
    write_bytes(folder / BROKER / secure_files.KEY, key_pem(key), mode=0o600)
    write_bytes(folder / BROKER / secure_files.CERTIFICATE, certificate_pem(certificate), mode=0o600)
    return issued(certificate)


def certify_aggregator(
    folder: Path,
    authority: Authority,
    record: FleetRecord,
    signing_key: Ed25519PrivateKey,
    *,
    now: datetime,
    days: int,
) -> FleetRecord:
    """Write a new identity for the aggregator.

    Args:
        folder: the fleet's.
        authority: certifies it.
        record: of the fleet.
        signing_key: what it signs with.
        now: the time.
        days: how long it is good.

    Returns:
        The record with what was issued; it is not written yet.
    """
    data, number = equip_aggregator(authority, record, signing_key, now=now, days=days)
    identity_file.save(folder / AGGREGATOR / identity_file.FILE_NAME, data)
    key = base64.b64encode(signing_key.public_key().public_bytes_raw()).decode()
    return record.having(aggregator=number, aggregator_key=key)


def read_signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read what the aggregator signs with.

    Raises:
        SettingsError: its identity is not in the fleet's folder, or is damaged.
    """
    file = folder / AGGREGATOR / identity_file.FILE_NAME
    if not file.exists():
        raise SettingsError(
            f"the aggregator's signing key is not at {file}: copy the file back, or take --new-signing-key"
        )
    return Identity.load(file, role="aggregator").signing_key
