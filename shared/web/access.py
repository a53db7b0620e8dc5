"""Who may open a page at all: this machine alone, unless there is a token."""

from __future__ import annotations

import ipaddress

from shared.errors import SettingsError

LEAST_TOKEN = 8
"""A shorter one is guessed too soon."""

_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


def is_loopback(name: str) -> bool:
    """Return whether a host name or address means this machine alone."""
    if name.lower().rstrip(".") in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def network_of(address: str) -> str:
    """Return what counts as one address: of version 6, a whole network, which has more than anyone can count."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def check_access(host: str, *, token: str) -> None:
    """Make sure that nobody can open the page who should not.

    Raises:
        SettingsError: the host is not of loopback and there is no token, or the token is too short.
    """
    if not token and not is_loopback(host):
        raise SettingsError(
            f"the page at {host!r} would be open to everyone in the network: set a token, or leave it at 127.0.0.1"
        )
    if token and len(token) < LEAST_TOKEN:
        raise SettingsError(f"the page's token is too short: give at least {LEAST_TOKEN} characters")
