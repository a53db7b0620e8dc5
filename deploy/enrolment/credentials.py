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
    if not password:
        data, number = _with_certificate(authority, record, name, signing_key, now=now, days=days)
        return data, Credential(number.serial, "certificate", signing_key.public_key(), number.not_after), None
    secret = secrets.token_urlsafe(_PASSWORD_BYTES)
    hashed = secure_files.password_hash(secret, salt=os.urandom(12))
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
    return data, Credential(f"{secrets.randbits(152):X}", "password", signing_key.public_key(), not_after), hashed


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
    return _with_certificate(authority, record, AGGREGATOR, signing_key, now=now, days=days)


def _with_certificate(
    authority: Authority, record: FleetRecord, name: str, signing_key: Ed25519PrivateKey, *, now: datetime, days: int
) -> tuple[bytes, Issued]:
    """Make an identity with a new key for TLS."""
    key = new_key()
    certificate = authority.issue_client(name, key.public_key(), now=now, days=days)
    data = identity_file.encode(
        role="aggregator" if name == AGGREGATOR else "device",
        fleet=record.fleet,
        name=name,
        broker=record.url(with_password=False),
        authority=authority.certificate,
        # The aggregator's own may be new, and not on record yet.
        aggregator_key=signing_key.public_key() if name == AGGREGATOR else record.key(),
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
