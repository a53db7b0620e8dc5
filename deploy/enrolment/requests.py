"""A request to be let into a fleet, made on the device: its keys are born there and stay there.

The device keeps a file with its keys, and sends another that holds nothing secret: a certificate signing request (PKCS
#10, RFC 2986) for TLS, and the public key that it signs messages with. Both keys sign the request, so that nobody can
ask with a key that is not his.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from deploy.enrolment.certificates import new_key
from deploy.enrolment.names import check_device
from shared.bounded_files import read_bounded
from shared.errors import SettingsError
from shared.files import write_bytes
from shared.identity_file import UNREADABLE

_VERSION = 1
_LARGEST_BYTES = 64 * 1024
_CONTEXT = b"inkfleet request to be enrolled, version 1\0"
_TITLE = "Inkfleet request of device"
_PRIVATE = "-----BEGIN PRIVATE KEY"


@dataclass(frozen=True)
class Keys:
    """What a device keeps to itself.

    Attributes:
        tls: proves to the broker who it is.
        signing: signs what it publishes.
    """

    tls: ec.EllipticCurvePrivateKey = field(repr=False)
    signing: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Request:
    """What a device asks with; it has shown that it has both keys.

    Attributes:
        name: what it wants to be called.
        tls_key: to be certified.
        signing_key: checks what it signs.
    """

    name: str
    tls_key: ec.EllipticCurvePublicKey = field(repr=False)
    signing_key: Ed25519PublicKey = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Tells these two keys from all others: for a person to compare where they were made and where they came."""
        return fingerprint(_public(self.tls_key) + self.signing_key.public_bytes_raw())


def fingerprint(data: bytes) -> str:
    """Write 80 bits of the SHA-256 of some bytes as a person can read them out: ``3f2a-91c0-…``."""
    digest = hashlib.sha256(data).hexdigest()
    return "-".join(digest[at : at + 4] for at in range(0, 20, 4))


def make_request(name: str, *, keys_file: Path, request_file: Path) -> Request:
    """Draw a device's keys, and write them and the request for them.

    Args:
        name: the device's.
        keys_file: for the keys; its owner alone can read it.
        request_file: for the request; one that is there, and without its keys, gives way.

    Raises:
        SettingsError: the name cannot be, or the keys of another request are there.
        StorageError: a file cannot be written.
    """
    check_device(name)
    if keys_file.exists():
        raise SettingsError(
            f"{keys_file} is there already, of a request without an answer; move it away, or choose another --out"
        )
    keys = Keys(new_key(), Ed25519PrivateKey.generate())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing_request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(keys.tls, hashes.SHA256())
    proof = keys.signing.sign(_signed(name, signing_request))
    header = {
        "version": _VERSION,
        "name": name,
        "signing_key": base64.b64encode(keys.signing.public_key().public_bytes_raw()).decode(),
        "proof": base64.b64encode(proof).decode(),
    }
    made = Request(name, keys.tls.public_key(), keys.signing.public_key())
    text = (
        f"{_TITLE} {name}, keys {made.fingerprint}.\n"
        f"Nothing in it is secret. For the keeper of the fleet: inkfleet fleet enroll --request {request_file.name}\n"
        f"{json.dumps(header, indent=1)}\n{signing_request.public_bytes(Encoding.PEM).decode()}"
    )
    write_bytes(keys_file, _keys_text(keys, name=name).encode(), mode=0o600)
    write_bytes(request_file, text.encode())
    return made


def read_request(file: Path) -> Request:
    """Read a request, and check that who made it has both keys.

    Raises:
        SettingsError: it cannot be read, is damaged, or somebody else's key is in it.
    """
    data = read_bounded(file, what="request", most_bytes=_LARGEST_BYTES, error=SettingsError)
    begin, end = data.find(b"\n{"), data.find(b"\n}\n")
    if not data.startswith(_TITLE.encode()) or not 0 <= begin < end:
        raise SettingsError(f"{file} is no request, or not whole; take the file that inkfleet fleet request wrote")
    damaged = f"request {file} is damaged; copy it anew, or make another with inkfleet fleet request"
    try:
        header = json.loads(data[begin : end + 2])
        signing_request = x509.load_pem_x509_csr(data[end + 3 :])
        name, tls_key = header["name"], signing_request.public_key()
        signing_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(header["signing_key"], validate=True))
        proof = base64.b64decode(header["proof"], validate=True)
        named = [one.value for one in signing_request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        whole = header["version"] == _VERSION and isinstance(name, str) and named == [name]
        whole = whole and signing_request.is_signature_valid
    except (*UNREADABLE, KeyError, RecursionError):
        raise SettingsError(damaged) from None
    if not whole:
        raise SettingsError(damaged)
    check_device(name)
    if not isinstance(tls_key, ec.EllipticCurvePublicKey) or not isinstance(tls_key.curve, ec.SECP256R1):
        raise SettingsError(
            f"request {file} is for a key of another kind than P-256; make it with inkfleet fleet request"
        )
    try:
        signing_key.verify(proof, _signed(name, signing_request))
    except InvalidSignature:
        raise SettingsError(damaged) from None
    return Request(name, tls_key, signing_key)


def read_keys(file: Path) -> Keys:
    """Read what `make_request` kept on the device.

    Raises:
        SettingsError: it cannot be read, or is damaged.
    """
    data = read_bounded(file, what="keys", most_bytes=_LARGEST_BYTES, error=SettingsError)
    blocks = [(_PRIVATE + block).encode() for block in data.decode("ascii", "replace").split(_PRIVATE)[1:]]
    damaged = f"keys {file} are damaged; make another request with inkfleet fleet request"
    try:
        tls, signing = (load_pem_private_key(block, password=None) for block in blocks)
    except UNREADABLE:
        raise SettingsError(damaged) from None
    if not isinstance(tls, ec.EllipticCurvePrivateKey) or not isinstance(signing, Ed25519PrivateKey):
        raise SettingsError(damaged)
    return Keys(tls, signing)


def _keys_text(keys: Keys, *, name: str) -> str:
    tls, signing = (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        for key in (keys.tls, keys.signing)
    )
    return (
        f"Keys of device {name}, which has asked to be let into a fleet. They stay on this device.\n"
        f"With the answer: inkfleet fleet accept {name}.granted\n{tls}{signing}"
    )


def _signed(name: str, signing_request: x509.CertificateSigningRequest) -> bytes:
    """What the signing key signs; a name has no NUL."""
    return _CONTEXT + name.encode() + b"\0" + signing_request.public_bytes(Encoding.DER)


def _public(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
