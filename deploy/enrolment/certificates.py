"""A fleet's certificates: X.509 (RFC 5280) with ECDSA on P-256, which Mosquitto, OpenSSL and AWS IoT all take.

A certificate is good for one purpose: a device's cannot stand in for the broker, nor the broker's for a client.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATED = timedelta(days=1)
"""Certificates are valid from a day before they are made: a device without a clock of its own may be hours behind."""

_MICROSECOND = timedelta(microseconds=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Draw a private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key as PEM, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Write a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def serial_of(certificate: x509.Certificate) -> str:
    """Its serial number in hexadecimal, as OpenSSL prints it."""
    return f"{certificate.serial_number:X}"


class Authority:
    """The fleet's certificate authority.

    Attributes:
        certificate: its own.
    """

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, *, fleet: str) -> None:
        self.certificate = certificate
        self._key = key
        self._fleet = fleet

    @classmethod
    def make(cls, *, fleet: str, now: datetime, days: int) -> tuple[Authority, ec.EllipticCurvePrivateKey]:
        """Make an authority for a fleet, good for ``days``; returns it and its key, which belongs off the network."""
        key = new_key()
        name = _name(f"Inkfleet {fleet}"[:64], fleet=fleet)
        usage = _usage(sign_certificates=True)
        builder = _builder(name, key.public_key(), issuer=name, now=now, not_after=_days(now, days))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
        return cls(certificate, key, fleet=fleet), key

    def issue_client(self, name: str, key: ec.EllipticCurvePublicKey, *, now: datetime, days: int) -> x509.Certificate:
        """Certify a device or the aggregator as a client: its common name is what the broker takes for a user name."""
        return self._issue(name, key, purpose=ExtendedKeyUsageOID.CLIENT_AUTH, hosts=(), now=now, days=days)

    def issue_broker(
        self, hosts: Sequence[str], key: ec.EllipticCurvePublicKey, *, now: datetime, days: int
    ) -> x509.Certificate:
        """Certify the broker for these names and IP addresses."""
        return self._issue("broker", key, purpose=ExtendedKeyUsageOID.SERVER_AUTH, hosts=hosts, now=now, days=days)

    def revocation_list(self, revoked: Iterable[tuple[str, datetime]], *, now: datetime) -> bytes:
        """Write the list of revoked serial numbers as PEM.

        Its next update is due when the authority expires: Mosquitto refuses *every* client once that time has passed,
        and a fleet must not stop because nobody wrote a new list.
        """
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=now - BACKDATED,
            next_update=self.certificate.not_valid_after_utc,
        )
        for serial, since in revoked:
            entry = x509.RevokedCertificateBuilder(serial_number=int(serial, 16), revocation_date=since)
            builder = builder.add_revoked_certificate(entry.build())
        number = x509.CRLNumber(int(now.timestamp() * 1000))
        return builder.add_extension(number, critical=False).sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def sign(self, data: bytes) -> bytes:
        """Sign something that is no certificate: ECDSA with SHA-256. What it begins with is to say what it is."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def _issue(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        *,
        purpose: x509.ObjectIdentifier,
        hosts: Sequence[str],
        now: datetime,
        days: int,
    ) -> x509.Certificate:
        not_after = min(_days(now, days), self.certificate.not_valid_after_utc)
        issuer = self.certificate.subject
        builder = _builder(_name(name, fleet=self._fleet), key, issuer=issuer, now=now, not_after=not_after)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(sign_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, *, issuer: x509.Name, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(min(now, not_after - _MICROSECOND) - BACKDATED).not_valid_after(not_after)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _days(now: datetime, days: int) -> datetime:
    return (now + timedelta(days=days)).replace(microsecond=0)


def _name(common: str, *, fleet: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Inkfleet"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, fleet),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _general_name(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
