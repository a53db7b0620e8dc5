"""Why a connection ended, in words."""

from __future__ import annotations

import enum
import socket
import ssl
from dataclasses import dataclass

from paho.mqtt.reasoncodes import ReasonCode

from shared.mqtt.address import BrokerAddress


class Cause(enum.Enum):
    """What kind of ending it was; it decides what is tried next."""

    UNREACHABLE = "unreachable"
    """No MQTT broker answered; try again with backoff."""
    SILENT = "silent"
    """The connection closed before the broker answered; brokers that do not know a version do that."""
    VERSION = "version"
    """The broker said that it does not speak this version of MQTT; try the other."""
    REFUSED = "refused"
    """The broker said no, and will say it again: credentials, identifier, certificate."""
    TAKEN_OVER = "taken over"
    """Another client connected with our identifier."""
    LOST = "lost"
    """The connection broke; try again with backoff."""


@dataclass(frozen=True)
class Ending:
    """The end of a connection, or of an attempt at one: its kind and one line for a person."""

    cause: Cause
    reason: str


# MQTT 5.0, table 2.6. Version 3.1.1's five refusals are translated to these by paho.
_REFUSALS = {
    0x84: (Cause.VERSION, "does not speak this version of MQTT"),
    0x01: (Cause.VERSION, "does not speak this version of MQTT"),
    0x85: (Cause.REFUSED, "refuses the client identifier {client_id!r}"),
    0x86: (Cause.REFUSED, "refuses the user name or the password; check them in the address or the settings"),
    0x87: (Cause.REFUSED, "does not authorise this client; check its user name, password and access list"),
    0x88: (Cause.UNREACHABLE, "is not available now"),
    0x89: (Cause.UNREACHABLE, "is busy"),
    0x8A: (Cause.REFUSED, "has banned this client"),
    0x8C: (Cause.REFUSED, "wants another way to authenticate"),
    0x95: (Cause.REFUSED, "finds the CONNECT packet too large; shorten the will"),
    0x97: (Cause.UNREACHABLE, "says that a quota is exceeded"),
    0x9F: (Cause.UNREACHABLE, "says that connections come too fast"),
}
_FAREWELLS = {
    0x8B: (Cause.LOST, "is shutting down"),
    0x8D: (Cause.LOST, "heard nothing from this client within the keepalive"),
    0x8E: (
        Cause.TAKEN_OVER,
        "closed it because another client connected as {client_id!r}; give each its own identifier",
    ),
    0x87: (Cause.REFUSED, "no longer authorises this client"),
    0x95: (Cause.LOST, "closed it because a packet was too large"),
    0x98: (Cause.REFUSED, "closed it by an administrator's action"),
}


# OpenSSL's X509_V_ERR numbers (x509_vfy.h).
_UNTRUSTED = {
    9: "a certificate that is not valid yet; is this machine's clock right?",
    10: "a certificate that has expired; inkfleet fleet renew broker mends that, unless this clock is wrong",
    18: "a certificate that is not trusted: it is its own authority; name that authority, {name}",
    19: "a certificate that is not trusted: its authority is unknown; name that authority, {name}",
    20: "a certificate that is not trusted: its authority is unknown; name that authority, {name}",
    23: "a certificate that was revoked",
    62: "a certificate for other names than {host!r}; inkfleet fleet renew broker --broker-host adds names",
    64: "a certificate for other addresses than {host}; inkfleet fleet renew broker --broker-host adds addresses",
}
# By the ends of OpenSSL's names of them; the first parts differ between versions.
_ALERTS = {
    "CERTIFICATE_EXPIRED": "turns our certificate away: it has expired; inkfleet fleet renew makes a new one",
    "CERTIFICATE_REVOKED": "turns our certificate away: it was revoked",
    "UNKNOWN_CA": "turns our certificate away: it is not of the broker's fleet",
    "CERTIFICATE_REQUIRED": "lets nobody in without a certificate; take --identity, or ?cert=FILE&key=FILE",
    "CERTIFICATE_UNKNOWN": "turns our certificate away",
    "BAD_CERTIFICATE": "turns our certificate away: it is no good one, perhaps not valid yet by the broker's clock",
    "UNSUPPORTED_CERTIFICATE": "turns our certificate away: it was not made for clients",
    "DECRYPT_ERROR": "turns our certificate away: the key does not fit",
    "ACCESS_DENIED": "turns our certificate away: access denied",
}


def refusal(address: BrokerAddress, code: ReasonCode, *, client_id: str) -> Ending:
    """Put a CONNACK's refusal into words."""
    cause, words = _REFUSALS.get(code.value, (Cause.UNREACHABLE, f"refuses the connection: {code}"))
    return Ending(cause, f"broker {address} {words.format(client_id=client_id)}")


def farewell(address: BrokerAddress, code: ReasonCode, *, client_id: str) -> Ending:
    """Put a DISCONNECT that the broker sent into words."""
    cause, words = _FAREWELLS.get(code.value, (Cause.LOST, f"closed the connection: {code}"))
    return Ending(cause, f"broker {address} {words.format(client_id=client_id)}")


def turned_away(address: BrokerAddress, error: ssl.SSLError) -> Ending | None:
    """Put the alert with which a broker ends TLS (RFC 8446, section 6.2) into words; None if it is none."""
    reason = error.reason or ""
    for alert, words in _ALERTS.items():
        if reason.endswith(alert):
            return Ending(Cause.REFUSED, f"broker {address} {words}")
    if "ALERT" in reason:
        said = reason.partition("ALERT_")[2].replace("_", " ").lower()
        return Ending(Cause.UNREACHABLE, f"broker {address} ends TLS: {said}")
    return None


def unreachable(address: BrokerAddress, error: OSError, *, timeout_s: float) -> Ending:
    """Put a failure to connect, or of the TLS handshake, into words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _UNTRUSTED.get(
            error.verify_code, "a certificate that is not trusted: {said}; name its authority, {name}"
        )
        name = "as its identity does" if address.ca_data else "with ?ca=FILE"
        said = words.format(said=error.verify_message, host=address.host, name=name)
        return Ending(Cause.REFUSED, f"broker {address} shows {said}")
    if isinstance(error, ssl.SSLError):
        if (refused := turned_away(address, error)) is not None:
            return refused
        return Ending(
            Cause.UNREACHABLE, f"broker {address} does not speak TLS: {error.reason or error}; is it mqtt://?"
        )
    if isinstance(error, TimeoutError):
        return Ending(Cause.UNREACHABLE, f"broker {address} does not answer within {timeout_s:g} s")
    if isinstance(error, socket.gaierror):
        return Ending(Cause.UNREACHABLE, f"broker {address}: the name {address.host!r} cannot be resolved")
    if isinstance(error, ConnectionRefusedError):
        return Ending(Cause.UNREACHABLE, f"no broker listens at {address} (connection refused); is it running?")
    return Ending(Cause.UNREACHABLE, f"broker {address} cannot be reached: {error.strerror or error}")
