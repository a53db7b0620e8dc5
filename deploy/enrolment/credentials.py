"""Keys and identities for those who were let in."""

from __future__ import annotations

import os
import secrets
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.brokers import secure_files
from deploy.enrolment.certificates import Authority, new_key, serial_of
from deploy.enrolment.record import FleetRecord, Issued
from shared import identity_file
from shared.identity_file import AGGREGATOR
from shared.roster import Credential

_PASSWORD_BYTES = 24


def equip_device(
    authority: Authority, record: FleetRecord, name: str, *, now: datetime, days: int, password: bool
) -> tuple[bytes, Credential, str | None]:
    """Draw a device's keys and make its identity.

    Args:
        authority: certifies it.
        record: of the fleet.
        name: the device's.
        now: the time.
        days: how long it is good.
        password: whether it logs in at the broker with a password, or else with a certificate.

    Returns:
        The bytes of its file, what the roster says of it, and the hash of its password, if it has one.
    """
    signing_key = Ed25519PrivateKey.generate()
    if password:
        secret = secrets.token_urlsafe(_PASSWORD_BYTES)
        hashed = secure_files.password_hash(secret, salt=os.urandom(12))
        serial = f"{secrets.randbits(152):X}"
        not_after = min(_after(now, days), authority.certificate.not_valid_after_utc)
        data = identity_file.encode(
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
    data = identity_file.encode(
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
    number = issued(certificate)
    return data, Credential(number.serial, "certificate", signing_key.public_key(), number.not_after), None


def equip_aggregator(
    authority: Authority, record: FleetRecord, signing_key: Ed25519PrivateKey, *, now: datetime, days: int
) -> tuple[bytes, Issued]:
    """Make the aggregator's identity, with a new key for TLS.

    Args:
        authority: certifies it.
        record: of the fleet.
        signing_key: what it signs with.
        now: the time.
        days: how long it is good.

    Returns:
        The bytes of its file, and its certificate's number.
    """
    key = new_key()
    certificate = authority.issue_client(AGGREGATOR, key.public_key(), now=now, days=days)
    data = identity_file.encode(
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
    return data, issued(certificate)


def issued(certificate: x509.Certificate) -> Issued:
    """What is remembered of a certificate."""
    return Issued(serial=serial_of(certificate), not_after=certificate.not_valid_after_utc)


def _after(now: datetime, days: int) -> datetime:
    return (now + timedelta(days=days)).replace(microsecond=0)
