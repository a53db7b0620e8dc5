"""The file that ``inkfleet fleet`` makes for a device or an aggregator: how it is written, and read.

It is a text file. After two lines for a person comes a JSON object, and after it, in PEM (RFC 7468), the certificate
for TLS and its key, so that OpenSSL reads the same file.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

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
from shared.validity import format_time, parse_time

Role = Literal["device", "aggregator"]

AGGREGATOR = "aggregator"
"""The aggregator's name in certificates and access lists; no device is called that."""

FILE_NAME = "identity.pem"
"""What an identity is called in the aggregator's folder."""

_VERSION = 1
_LARGEST_BYTES = 64 * 1024

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What `cryptography` raises for certificates and keys that are damaged."""

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
class Content:
    """What an identity's file holds; its parts fit together.

    Attributes:
        role: what it is for.
        fleet: the fleet's name.
        name: its owner's.
        address: the broker's, without what TLS needs.
        authority: the fleet's certificate authority.
        certificate: for TLS; None where a password is used.
        password: at the broker; None where a certificate is used.
        expires: when the password is to be renewed; None where a certificate is used.
        signing_key: its owner's.
        aggregator_key: checks what the aggregator signs.
    """

    role: Role
    fleet: str
    name: str
    address: BrokerAddress = field(repr=False)
    authority: x509.Certificate = field(repr=False)
    certificate: x509.Certificate | None = field(repr=False)
    password: str | None = field(repr=False)
    expires: datetime | None
    signing_key: Ed25519PrivateKey = field(repr=False)
    aggregator_key: Ed25519PublicKey = field(repr=False)


def read(file: Path, *, role: Role | None = None) -> Content:
    """Read an identity's file and check that its parts fit together.

    Args:
        file: the file.
        role: what it is needed for; None for whatever it is for.

    Raises:
        SettingsError: it cannot be read, is damaged or incomplete, is for another role, or its key, certificate,
            authority and names do not belong together.
    """
    data = read_bounded(file, what="identity", most_bytes=_LARGEST_BYTES, error=SettingsError)
    return parse(data, file, role=role)


def parse(data: bytes, file: Path, *, role: Role | None = None) -> Content:
    """Take the bytes of an identity's file apart, and check that its parts fit together.

    Args:
        data: the bytes.
        file: where they are from, for messages.
        role: what it is needed for; None for whatever it is for.

    Raises:
        SettingsError: see `read`.
    """
    header, rest = _split(data, file)
    try:
        return _content(header, rest, file, role=role)
    except UNREADABLE:  # much of a certificate is read only when it is asked for
        raise SettingsError(f"identity {file} is damaged: its certificates or keys cannot be read") from None


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
        parts.append(pem(certificate))
        parts.append(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    return "".join(parts).encode()


def save(path: Path, data: bytes) -> None:
    """Write an identity's file, readable by its owner alone from its first byte on.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    write_bytes(path, data, mode=0o600)


def _content(header: dict[str, Any], rest: bytes, file: Path, *, role: Role | None) -> Content:
    if role is not None and header["role"] != role:
        command = "inkfleet fleet enroll makes a device's" if role == "device" else "it lies in aggregator/"
        raise SettingsError(f"identity {file} is for {_whom(header)}, but one for {_A[role]} is needed; {command}")
    role = header["role"]
    if role == "aggregator" and header["name"] != AGGREGATOR:
        raise SettingsError(f"identity {file} is damaged: an aggregator called {header['name']!r}; copy it anew")
    authority, address = _authority(header["authority"], file), _address(header["broker"], file)
    certificate = expires = None
    if header["password"] is None:
        certificate = _certificate(rest, file, authority=authority, header=header)
    else:
        expires = parse_time(header["expires"], where=f"identity {file}")
    signing_key = Ed25519PrivateKey.from_private_bytes(_key_bytes(header["signing_key"], file))
    aggregator_key = Ed25519PublicKey.from_public_bytes(_key_bytes(header["aggregator_key"], file))
    if role == "aggregator" and signing_key.public_key() != aggregator_key:
        raise SettingsError(f"identity {file} is damaged: its signing keys are no pair; copy it anew")
    return Content(
        role=role,
        fleet=header["fleet"],
        name=header["name"],
        address=address,
        authority=authority,
        certificate=certificate,
        password=header["password"],
        expires=expires,
        signing_key=signing_key,
        aggregator_key=aggregator_key,
    )


def _split(data: bytes, file: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON object, its members checked for their kind, and what follows it."""
    damaged = f"identity {file} is damaged or incomplete"
    begin, end = data.find(b"\n{"), data.find(b"\n}\n")
    if data.startswith(b"Inkfleet grant"):
        raise SettingsError(f"{file} is an identity without its keys; inkfleet fleet accept {file} puts them in")
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
    except UNREADABLE:
        raise SettingsError(f"identity {file} is damaged: its authority's certificate cannot be read") from None


def _certificate(rest: bytes, file: Path, *, authority: x509.Certificate, header: dict[str, Any]) -> x509.Certificate:
    damaged = f"identity {file} is damaged or incomplete"
    try:
        certificate = x509.load_pem_x509_certificate(rest)
    except UNREADABLE:
        raise SettingsError(f"{damaged}: its certificate cannot be read; copy it anew") from None
    try:
        key = load_pem_private_key(rest[rest.find(b"-----BEGIN PRIVATE KEY") :], password=None)
    except UNREADABLE:
        raise SettingsError(f"{damaged}: its private key cannot be read; copy it anew") from None
    if key.public_key() != certificate.public_key():
        raise SettingsError(f"identity {file}: its private key does not fit its certificate; have it renewed")
    try:
        certificate.verify_directly_issued_by(authority)
    except (*UNREADABLE, InvalidSignature):
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
    except UNREADABLE:
        key = b""
    if len(key) != 32:
        raise SettingsError(f"identity {file} is damaged: expected an Ed25519 key of 32 bytes in base64; copy it anew")
    return key


def pem(certificate: x509.Certificate) -> str:
    """Write a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()
