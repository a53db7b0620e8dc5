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


def refusal(address: BrokerAddress, code: ReasonCode, *, client_id: str) -> Ending:
    """Put a CONNACK's refusal into words."""
    cause, words = _REFUSALS.get(code.value, (Cause.UNREACHABLE, f"refuses the connection: {code}"))
    return Ending(cause, f"broker {address} {words.format(client_id=client_id)}")


def farewell(address: BrokerAddress, code: ReasonCode, *, client_id: str) -> Ending:
    """Put a DISCONNECT that the broker sent into words."""
    cause, words = _FAREWELLS.get(code.value, (Cause.LOST, f"closed the connection: {code}"))
    return Ending(cause, f"broker {address} {words.format(client_id=client_id)}")


def unreachable(address: BrokerAddress, error: OSError, *, timeout_s: float) -> Ending:
    """Put a failure to connect, or of the TLS handshake, into words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Ending(
            Cause.REFUSED,
            f"broker {address} shows a certificate that is not trusted: {error.verify_message}; "
            "name its authority with ?ca=FILE",
        )
    if isinstance(error, ssl.SSLError):
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
