"""What a device and a broker's host may be called, and where a broker may listen."""

from __future__ import annotations

import re
from ipaddress import ip_address

from shared.errors import SettingsError
from shared.identity_file import AGGREGATOR
from shared.topics import check_name

BROKER = "broker"
RESERVED = (AGGREGATOR, BROKER, "authority", "lock")
"""Names that no device may have, in whatever case."""

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")


def check_device(name: str) -> str:
    """Return a device's name if it can be enrolled.

    Raises:
        SettingsError: it cannot stand in a topic, or is reserved.
    """
    check_name(name, what="device")
    if name.lower() in RESERVED:
        raise SettingsError(f"a device cannot be called {name!r}: the name is reserved; choose another")
    return name


def check_host(host: str) -> None:
    """Refuse what is no host name (RFC 1123) and no IP address.

    Raises:
        SettingsError: it is neither.
    """
    try:
        ip_address(host)
    except ValueError:
        if len(host) > 253 or not all(_LABEL.match(label) for label in host.split(".")):
            raise SettingsError(
                f"broker host {host!r} is neither a host name nor an IP address; give no scheme and no port"
            ) from None


def check_folder(folder: str) -> str:
    """Return a folder's path if it can stand in a broker's configuration, where a line's end would begin an option.

    Raises:
        SettingsError: it has a character that is not printed.
    """
    if not folder.isprintable():
        raise SettingsError(f"folder {folder!r} cannot stand in the broker's configuration; take another")
    return folder


def check_ports(port: int, password_port: int | None) -> None:
    """Refuse one port for two listeners.

    Raises:
        SettingsError: they are the same.
    """
    if port == password_port:
        raise SettingsError(f"port {port} cannot be for certificates and for passwords; take another")
