"""How a client presents itself to its broker, the same at each of its connections."""

from __future__ import annotations

from dataclasses import dataclass

from shared.mqtt.address import BrokerAddress


@dataclass(frozen=True)
class ClientSettings:
    """What a connection is made with.

    Attributes:
        address: the broker.
        client_id: our identifier, unique at the broker.
        keepalive_s: a connection on which nothing arrives for twice as long is taken for dead.
        session_expiry_s: how long the broker keeps our session while we are away; 0 for a clean session.
        connect_timeout_s: how long the TCP connect, the TLS handshake and the broker's answer may take, each.
        incoming_limit_bytes: the largest packet that we take; an MQTT 5 broker is told.
    """

    address: BrokerAddress
    client_id: str
    keepalive_s: int
    session_expiry_s: int
    connect_timeout_s: float
    incoming_limit_bytes: int
