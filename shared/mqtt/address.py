"""Where a broker is, and who we are to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from shared.errors import SettingsError

_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TLS_FILES = ("ca", "cert", "key")


@dataclass(frozen=True)
class BrokerAddress:
    """A broker's address.

    Attributes:
        host: name or IP address (an IPv6 address without brackets).
        port: TCP port.
        tls: whether the connection is encrypted and the broker's certificate checked.
        username: the user name sent to the broker, if any.
        password: its password; never shown.
        ca_file: PEM file of the authority that signed the broker's certificate; the system's authorities if None.
        cert_file: PEM file of our own certificate, for brokers that ask for one.
        key_file: PEM file of its key; None if the key is in the same file.
        ca_data: certificates of authorities in PEM, in place of a file; then no others are trusted.
    """

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    ca_data: str | None = field(default=None, repr=False)

    @property
    def loopback(self) -> bool:
        """Whether it is on this machine, as far as its name tells: nobody else can listen in."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read ``mqtt://[user[:password]@]host[:port]`` or ``mqtts://…[?ca=FILE&cert=FILE&key=FILE]``.

        A user name or a password with ``:``, ``@`` or ``/`` in it is percent-encoded, as in any URL.

        Raises:
            SettingsError: the URL cannot be understood; the message says what is wrong and never shows a password.
        """
        scheme, separator, rest = url.strip().partition("://")
        form = "write mqtt://host:port, or mqtts://host:port for TLS"
        if not separator or scheme not in _DEFAULT_PORTS:
            raise SettingsError(f"broker address {_without_password(url)!r} does not start with mqtt://; {form}")
        try:
            parts = urlsplit(f"{scheme}://{rest}")
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"broker address {_without_password(url)!r}: {error}; {form}") from None
        if not parts.hostname:
            raise SettingsError(f"broker address {_without_password(url)!r} names no host; {form}")
        if port == 0:
            raise SettingsError(f"broker address {_without_password(url)!r}: no broker listens on port 0; {form}")
        if parts.path not in ("", "/") or parts.fragment:
            raise SettingsError(f"broker address {_without_password(url)!r} has a path; {form}")
        files = parse_qs(parts.query)
        unknown = sorted(set(files) - set(_TLS_FILES))
        if unknown or (files and scheme == "mqtt"):
            what = f"unknown option {unknown[0]!r}" if unknown else "ca, cert and key need mqtts://"
            raise SettingsError(f"broker address {_without_password(url)!r}: {what}; {form}")
        return cls(
            host=parts.hostname,
            port=port or _DEFAULT_PORTS[scheme],
            tls=scheme == "mqtts",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            ca_file=files.get("ca", [None])[0],
            cert_file=files.get("cert", [None])[0],
            key_file=files.get("key", [None])[0],
        )

    def __str__(self) -> str:
        """The address as a URL without user name and password, fit for a log line."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def _without_password(url: str) -> str:
    scheme, separator, rest = url.rpartition("@")
    if not separator:
        return url
    return f"{scheme.partition('://')[0]}://…@{rest}"
