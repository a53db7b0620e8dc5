"""Who a device or an aggregator is.

An identity is one file (`shared.identity_file`) that its owner alone may read (mode 0600). It proves two
things: to the broker, by the certificate, which topics its owner may use; to devices and aggregator, by the Ed25519
key (RFC 8032), who wrote a message, also where the broker cannot be trusted.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.errors import SettingsError
from shared.identity_file import FILE_NAME, Role, pem, read
from shared.mqtt.address import BrokerAddress
from shared.validity import validity_in_words


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
        content = read(file, role=role)
        authority = content.authority
        address = dataclasses.replace(content.address, ca_data=pem(authority))
        not_before, not_after = authority.not_valid_before_utc, authority.not_valid_after_utc
        if content.certificate is not None:
            not_before = max(not_before, content.certificate.not_valid_before_utc)
            not_after = min(not_after, content.certificate.not_valid_after_utc)
            address = dataclasses.replace(address, cert_file=str(file))
        else:
            address = dataclasses.replace(address, username=content.name, password=content.password)
            not_after = min(not_after, content.expires or not_after)
        return cls(
            role=content.role,
            fleet=content.fleet,
            name=content.name,
            address=address,
            signing_key=content.signing_key,
            aggregator_key=content.aggregator_key,
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
