"""The answer to a request: an identity without its keys, which only the device that asked can complete."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deploy.enrolment.certificates import Authority
from deploy.enrolment.credentials import issued
from deploy.enrolment.record import FleetRecord
from deploy.enrolment.requests import Request, fingerprint, read_keys
from shared import identity_file
from shared.bounded_files import read_bounded
from shared.errors import SettingsError
from shared.identity_file import UNREADABLE
from shared.roster import Credential
from shared.topics import check_name

_VERSION = 1
_LARGEST_BYTES = 64 * 1024
_TITLE = "Inkfleet grant for device"
_CONTEXT = b"inkfleet grant to a device, version 1\0"
_MEMBERS = ("fleet", "name", "broker", "authority", "aggregator_key", "signature")


def grant(
    authority: Authority, record: FleetRecord, request: Request, *, now: datetime, days: int
) -> tuple[bytes, Credential]:
    """Certify the keys that a device asked with.

    Args:
        authority: certifies them.
        record: of the fleet.
        request: the device's.
        now: the time.
        days: how long the certificate is good.

    Returns:
        The bytes of the answer, in which nothing is secret, and what the roster says of it.
    """
    certificate = authority.issue_client(request.name, request.tls_key, now=now, days=days)
    header = {
        "version": _VERSION,
        "fleet": record.fleet,
        "name": request.name,
        "broker": record.url(with_password=False),
        "authority": base64.b64encode(authority.certificate.public_bytes(Encoding.DER)).decode(),
        "aggregator_key": base64.b64encode(record.key().public_bytes_raw()).decode(),
    }
    # By the authority, whose fingerprint a person compares: nothing of it can be changed on its way then.
    signature = authority.sign(_signed(header, certificate))
    header["signature"] = base64.b64encode(signature).decode()
    text = (
        f"{_TITLE} {request.name} of fleet {record.fleet}, keys {request.fingerprint}.\n"
        f"Nothing in it is secret. On the device, beside its keys: inkfleet fleet accept {request.name}.granted\n"
        f"{json.dumps(header, indent=1)}\n{identity_file.pem(certificate)}"
    )
    number = issued(certificate)
    return text.encode(), Credential(number.serial, "certificate", request.signing_key, number.not_after)


def fleet_fingerprint(authority: x509.Certificate) -> str:
    """Tells a fleet's authority from all others: for a person to compare where it is and where it is believed."""
    return fingerprint(authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def accept(file: Path, *, keys_file: Path, out: Path) -> tuple[identity_file.Content, str]:
    """Complete a device's identity, on the device: put the answer and its own keys into one file.

    Args:
        file: the answer.
        keys_file: the keys that were asked with; they are removed when the identity has them.
        out: the identity's file. One of the same device and fleet, which this renews, gives way.

    Returns:
        What the identity holds, and the fingerprint of its fleet's authority.

    Raises:
        SettingsError: a file cannot be read or is damaged, the answer is to another request, or ``out`` is another
            device's, or of another fleet or authority.
        StorageError: the identity cannot be written.
    """
    header, certificate = _read(file)
    keys = read_keys(keys_file)
    if keys.tls.public_key() != certificate.public_key():
        raise SettingsError(f"grant {file} answers another request: it does not fit the keys in {keys_file}")
    try:
        authority = x509.load_der_x509_certificate(base64.b64decode(header["authority"], validate=True))
        aggregator_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(header["aggregator_key"], validate=True))
    except UNREADABLE:
        raise SettingsError(f"grant {file} is damaged; copy it anew") from None
    try:
        key = authority.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("expected an authority like ours")
        signature = base64.b64decode(header.pop("signature"), validate=True)
        key.verify(signature, _signed(header, certificate), ec.ECDSA(hashes.SHA256()))
    except (*UNREADABLE, InvalidSignature):
        raise SettingsError(f"grant {file} was changed on its way; copy it anew") from None
    data = identity_file.encode(
        role="device",
        fleet=header["fleet"],
        name=header["name"],
        broker=header["broker"],
        authority=authority,
        aggregator_key=aggregator_key,
        signing_key=keys.signing,
        certificate=certificate,
        key=keys.tls,
    )
    content = identity_file.parse(data, file, role="device")
    if out.exists():
        former = identity_file.read(out, role="device")
        if (former.fleet, former.name) != (content.fleet, content.name):
            raise SettingsError(
                f"{out} is of device {former.name} of fleet {former.fleet}; move it away, or choose another --out"
            )
        if former.authority != authority:
            raise SettingsError(
                f"grant {file} is of another authority than {out}; if the fleet was made anew, move {out} away"
            )
    identity_file.save(out, data)
    keys_file.unlink()
    return content, fleet_fingerprint(authority)


def _signed(header: dict[str, Any], certificate: x509.Certificate) -> bytes:
    """What the authority signs: all of an answer but the signature."""
    return _CONTEXT + json.dumps(header, indent=1).encode() + b"\0" + certificate.public_bytes(Encoding.DER)


def _read(file: Path) -> tuple[dict[str, Any], x509.Certificate]:
    data = read_bounded(file, what="grant", most_bytes=_LARGEST_BYTES, error=SettingsError)
    begin, end = data.find(b"\n{"), data.find(b"\n}\n")
    if not data.startswith(_TITLE.encode()) or not 0 <= begin < end:
        raise SettingsError(
            f"{file} is no grant, or not whole; take the file that inkfleet fleet enroll --request wrote"
        )
    try:
        header = json.loads(data[begin : end + 2])
        certificate = x509.load_pem_x509_certificate(data[end + 3 :])
        certificate.public_key()
    except (*UNREADABLE, RecursionError):
        raise SettingsError(f"grant {file} is damaged; copy it anew") from None
    if header.get("version") != _VERSION or not all(isinstance(header.get(member), str) for member in _MEMBERS):
        raise SettingsError(f"grant {file} is damaged, or of another version; copy it anew")
    try:
        check_name(header["fleet"], what="fleet")
        check_name(header["name"], what="device")
    except SettingsError as error:
        raise SettingsError(f"grant {file} is damaged: {error}") from None
    return header, certificate
