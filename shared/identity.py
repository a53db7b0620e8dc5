"""Who a device or an aggregator is: the one file that ``inkfleet fleet`` made for it.

An identity is a text file that its owner alone may read (mode 0600). After two lines for a person comes a JSON object,
and after it, in PEM (RFC 7468), the certificate for TLS and its key, so that OpenSSL reads the same file. It proves two
things: to the broker, by the certificate, which topics its owner may use; to devices and aggregator, by the Ed25519
key (RFC 8032), who wrote a message, also where the broker cannot be trusted.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from shared.bounded_files import read_bounded
from shared.errors import SettingsError
from shared.files import write_bytes
from shared.mqtt.address import BrokerAddress
from shared.topics import check_name

Role = Literal["device", "aggregator"]

AGGREGATOR = "aggregator"
"""The aggregator's name in certificates and access lists; no device is called that."""

FILE_NAME = "identity.pem"
"""What an identity is called in the aggregator's folder."""

WARN_DAYS = 30
"""So many days before a certificate expires, it is said at every start."""

_VERSION = 1
_LARGEST_BYTES = 64 * 1024
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)  # of what OpenSSL makes of bad bytes
_A = {"device": "a device", "aggregator": "the aggregator"}
_MEMBERS = {
    "version",
    "role",
    "fleet",
    "name",
    "broker",
    "password",
    "expires",
    "authority",
    "signing_key",
    "aggregator_key",
}


@dataclass(frozen=True)
class Identity:
    """A device's or the aggregator's identity.

    Attributes:
        role: what it is for.
        fleet: the fleet's name.
        name: the device's name; `AGGREGATOR` for the aggregator.
        address: the broker, with everything that TLS needs.
        signing_key: signs what its owner writes.
        aggregator_key: checks what the aggregator signed.
        not_before: when the certificate begins to be valid; a day before it was made, for clocks that are behind.
        not_after: when it expires; of the certificate and its authority's, the earlier.
        path: the file.
    """

    role: Role
    fleet: str
    name: str
    address: BrokerAddress = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)
    aggregator_key: Ed25519PublicKey = field(repr=False)
    not_before: datetime
    not_after: datetime
    path: Path

    @classmethod
    def load(cls, path: Path, *, role: Role | None = None) -> Self:
        """Read an identity and check that its parts fit together.

        Whether it is valid *now* is not checked here but told by `notices`: a clock that is wrong must not keep a
        device from reading, and the broker decides by its own clock.

        Args:
            path: the file, or a folder with ``identity.pem`` in it.
            role: what it is needed for; None for whatever it is for.

        Raises:
            SettingsError: it cannot be read, is damaged or incomplete, is for another role, or its key, certificate,
                authority and names do not belong together.
        """
        file = path / FILE_NAME if path.is_dir() else path
        data = read_bounded(file, what="identity", most_bytes=_LARGEST_BYTES, error=SettingsError)
        header, rest = _split(data, file)
        try:
            return cls._of(header, rest, file, role=role)
        except _UNREADABLE:  # much of a certificate is read only when it is asked for
            raise SettingsError(f"identity {file} is damaged: its certificates or keys cannot be read") from None

    @classmethod
    def _of(cls, header: dict[str, Any], rest: bytes, file: Path, *, role: Role | None) -> Self:
        if role is not None and header["role"] != role:
            command = "inkfleet fleet enroll makes a device's" if role == "device" else "it lies in aggregator/"
            raise SettingsError(f"identity {file} is for {_whom(header)}, but one for {_A[role]} is needed; {command}")
        role = header["role"]
        if role == "aggregator" and header["name"] != AGGREGATOR:
            raise SettingsError(f"identity {file} is damaged: an aggregator called {header['name']!r}; copy it anew")
        authority = _authority(header["authority"], file)
        address = dataclasses.replace(_address(header["broker"], file), ca_data=_pem(authority))
        not_before, not_after = authority.not_valid_before_utc, authority.not_valid_after_utc
        if header["password"] is None:
            certificate = _certificate(rest, file, authority=authority, header=header)
            not_before = max(not_before, certificate.not_valid_before_utc)
            not_after = min(not_after, certificate.not_valid_after_utc)
            address = dataclasses.replace(address, cert_file=str(file))
        else:
            address = dataclasses.replace(address, username=header["name"], password=header["password"])
            not_after = min(not_after, parse_time(header["expires"], where=f"identity {file}"))
        signing_key = Ed25519PrivateKey.from_private_bytes(_key_bytes(header["signing_key"], file))
        aggregator_key = Ed25519PublicKey.from_public_bytes(_key_bytes(header["aggregator_key"], file))
        if role == "aggregator" and signing_key.public_key() != aggregator_key:
            raise SettingsError(f"identity {file} is damaged: its signing keys are no pair; copy it anew")
        return cls(
            role=role,
            fleet=header["fleet"],
            name=header["name"],
            address=address,
            signing_key=signing_key,
            aggregator_key=aggregator_key,
            not_before=not_before,
            not_after=not_after,
            path=file,
        )

    def notices(self, *, now: datetime) -> tuple[str, ...]:
        """What a person should know about this identity at a start, a line each; empty when all is well.

        Args:
            now: the time by this machine's clock, with its zone.
        """
        said = []
        try:
            mode = self.path.stat().st_mode & 0o777
        except OSError:
            mode = 0o600
        if mode & 0o077:
            said.append(
                f"identity {self.path} can be read by others (mode {mode:04o}): run chmod 600 on it, and if others "
                f"use this machine, have it renewed (inkfleet fleet renew {self.name})"
            )
        validity = validity_in_words(self.not_before, self.not_after, now=now)
        if validity:
            said.append(f"identity {self.path} {validity}; inkfleet fleet renew {self.name} makes a new one")
        return tuple(said)

    def address_for(self, broker: str | None) -> BrokerAddress:
        """The broker's address: this identity's, or another place that it is used at.

        Args:
            broker: a URL that takes the place of the identity's host and port; None or empty for the identity's own.

        Raises:
            SettingsError: the URL cannot be understood, or is without TLS.
        """
        if not broker:
            return self.address
        place = BrokerAddress.parse(broker)
        if not place.tls:
            raise SettingsError(f"broker address {place} is without TLS, which an identity needs: write mqtts://")
        return dataclasses.replace(self.address, host=place.host, port=place.port)


def encode(
    *,
    role: Role,
    fleet: str,
    name: str,
    broker: str,
    authority: x509.Certificate,
    aggregator_key: Ed25519PublicKey,
    signing_key: Ed25519PrivateKey,
    certificate: x509.Certificate | None = None,
    key: EllipticCurvePrivateKey | None = None,
    password: str | None = None,
    expires: datetime | None = None,
) -> bytes:
    """Write an identity as the bytes of its file.

    Args:
        role: what it is for.
        fleet: the fleet's name.
        name: its owner's name.
        broker: where it connects to, as ``mqtts://host:port``.
        authority: the fleet's certificate authority.
        aggregator_key: checks what the aggregator signs.
        signing_key: its owner's.
        certificate: for TLS, with ``key``; or else a password.
        key: the certificate's.
        password: the password at the broker, where no certificate is used, with ``expires``.
        expires: when the password is to be renewed.
    """
    header = {
        "version": _VERSION,
        "role": role,
        "fleet": fleet,
        "name": name,
        "broker": broker,
        "password": password,
        "expires": format_time(expires) if expires is not None else None,
        "authority": base64.b64encode(authority.public_bytes(Encoding.DER)).decode(),
        "signing_key": base64.b64encode(signing_key.private_bytes_raw()).decode(),
        "aggregator_key": base64.b64encode(aggregator_key.public_bytes_raw()).decode(),
    }
    parts = [
        f"Inkfleet identity of {_whom(header)}.\n",
        f"Whoever has this file is this {role}: keep it to its owner (mode 0600), and keep no other copy.\n",
        json.dumps(header, indent=1),
        "\n",
    ]
    if certificate is not None and key is not None:
        parts.append(_pem(certificate))
        parts.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return "".join(parts).encode()


def save(path: Path, data: bytes) -> None:
    """Write an identity's file, readable by its owner alone from its first byte on.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    write_bytes(path, data, mode=0o600)


def validity_in_words(not_before: datetime, not_after: datetime, *, now: datetime) -> str:
    """Say what is wrong with a time of validity, or soon will be; empty when nothing is for `WARN_DAYS`."""
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC: is it right?"
    if now < not_before:
        return f"is not valid before {not_before:%Y-%m-%d %H:%M} UTC; {clock}"
    if now >= not_after:
        return f"expired on {not_after:%Y-%m-%d %H:%M} UTC; {clock}"
    if now >= not_after - timedelta(days=WARN_DAYS):
        days = (not_after - now).days
        return f"expires in {days} day{'' if days == 1 else 's'}, on {not_after:%Y-%m-%d %H:%M} UTC"
    return ""


def format_time(moment: datetime) -> str:
    """Write a time as ``2027-01-31T08:00:00Z`` (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: Any, *, where: str) -> datetime:
    """Read a time that `format_time` wrote.

    Raises:
        SettingsError: it is none; ``where`` begins the message.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise SettingsError(f"{where} is damaged: expected a time like 2027-01-31T08:00:00Z, got {text!r}") from None


def _split(data: bytes, file: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON object, its members checked for their kind, and what follows it."""
    damaged = f"identity {file} is damaged or incomplete"
    begin, end = data.find(b"\n{"), data.find(b"\n}\n")
    if not data.startswith(b"Inkfleet identity") or begin < 0:
        raise SettingsError(f"{file} is no identity; take the file that inkfleet fleet enroll wrote")
    if end < 0:
        raise SettingsError(f"{damaged}: it ends in the middle; copy it anew")
    try:
        header = json.loads(data[begin : end + 2])
    except (ValueError, RecursionError):
        raise SettingsError(f"{damaged}: its JSON cannot be read; copy it anew") from None
    if header.get("version") != _VERSION:
        raise SettingsError(
            f"identity {file} has version {header.get('version')!r}, expected {_VERSION}; have it renewed"
        )
    if missing := sorted(_MEMBERS - set(header)):
        raise SettingsError(f"{damaged}: {missing[0]!r} is missing; copy it anew")
    for member in _MEMBERS - {"version"}:
        if not isinstance(header[member], str) and not (member in ("password", "expires") and header[member] is None):
            raise SettingsError(f"{damaged}: expected a text for {member!r}, got {type(header[member]).__name__}")
    if header["role"] not in ("device", AGGREGATOR):
        raise SettingsError(f"{damaged}: role {header['role']!r} is unknown")
    try:
        check_name(header["fleet"], what="fleet")
        check_name(header["name"], what="device")
    except SettingsError as error:
        raise SettingsError(f"{damaged}: {error}") from None
    return header, data[end + 3 :]


def _whom(header: dict[str, Any]) -> str:
    who = "the aggregator" if header["role"] == AGGREGATOR else f"device {header['name']}"
    return f"{who} of fleet {header['fleet']}"


def _address(url: str, file: Path) -> BrokerAddress:
    address = BrokerAddress.parse(url)
    if not address.tls:
        raise SettingsError(f"identity {file} is damaged: its broker {address} is without TLS; copy it anew")
    return address


def _authority(text: str, file: Path) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except _UNREADABLE:
        raise SettingsError(f"identity {file} is damaged: its authority's certificate cannot be read") from None


def _certificate(rest: bytes, file: Path, *, authority: x509.Certificate, header: dict[str, Any]) -> x509.Certificate:
    damaged = f"identity {file} is damaged or incomplete"
    try:
        certificate = x509.load_pem_x509_certificate(rest)
    except _UNREADABLE:
        raise SettingsError(f"{damaged}: its certificate cannot be read; copy it anew") from None
    try:
        key = load_pem_private_key(rest[rest.find(b"-----BEGIN PRIVATE KEY") :], password=None)
    except _UNREADABLE:
        raise SettingsError(f"{damaged}: its private key cannot be read; copy it anew") from None
    if key.public_key() != certificate.public_key():
        raise SettingsError(f"identity {file}: its private key does not fit its certificate; have it renewed")
    try:
        certificate.verify_directly_issued_by(authority)
    except (*_UNREADABLE, InvalidSignature):
        raise SettingsError(f"identity {file}: its certificate is of another authority; have it renewed") from None
    for oid, member in ((NameOID.COMMON_NAME, "name"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "fleet")):
        found = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)]
        if found != [header[member]]:
            raise SettingsError(
                f"identity {file}: its certificate is of {member} {', '.join(map(str, found)) or 'nobody'}, "
                f"expected {header[member]}; have it renewed"
            )
    return certificate


def _key_bytes(text: str, file: Path) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except _UNREADABLE:
        key = b""
    if len(key) != 32:
        raise SettingsError(f"identity {file} is damaged: expected an Ed25519 key of 32 bytes in base64; copy it anew")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
