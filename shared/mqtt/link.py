"""The MQTT link: one connection that is always there, or on its way back."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Self

import numpy as np

from shared.errors import BrokerError
from shared.mqtt.address import BrokerAddress
from shared.mqtt.backoff import Backoff
from shared.mqtt.client_settings import ClientSettings
from shared.mqtt.connection import Protocol
from shared.mqtt.ending import Cause
from shared.mqtt.message import Message, Will
from shared.mqtt.network_thread import NetworkThread
from shared.mqtt.outbox import OutboxBounds, Outgoing
from shared.mqtt.reconnection import Reconnection
from shared.mqtt.syntax import check_filter, check_topic
from shared.mqtt.traffic import Traffic


class MqttLink:
    """A client of a broker that reconnects for ever, used by devices and the aggregator alike.

    One daemon thread, the *network thread*, owns the socket. ``publish``, ``subscribe``, ``unsubscribe`` and the
    properties may be used from any thread; they only leave work for it.

    The three callbacks are called **on the network thread**. They must only put things on a queue of the owner's (or
    publish and subscribe, which never wait there): as long as one runs, nothing is read and no keepalive is answered.
    An exception out of a callback is logged and goes no further.

    Delivery is at least once at QoS 1: what was published and not acknowledged is sent again after a reconnect, before
    newer messages, in order. An acknowledgement means that the broker has it, not that anyone read it.

    Back pressure: an ``Outbox`` bounds the messages and bytes that wait or are unacknowledged; past the bound,
    ``publish`` waits for room up to its deadline. While there is no connection, messages of QoS 1 wait there (until
    their expiry), messages of QoS 0 are dropped.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        client_id: str,
        on_message: Callable[[Message], None],
        on_connect: Callable[[], None],
        on_disconnect: Callable[[str], None] | None = None,
        will: Will | Callable[[], Will] | None = None,
        keepalive_s: int = 15,
        protocol: Literal["auto", "5", "3.1.1"] = "auto",
        session_expiry_s: int = 0,
        backoff: Backoff | None = None,
        rng: np.random.Generator | None = None,
        bounds: OutboxBounds | None = None,
        publish_deadline_s: float = 30.0,
        connect_timeout_s: float = 5.0,
        max_packet_bytes: int | None = None,
        incoming_limit_bytes: int = 16 * 1024 * 1024,
        retry_refused: bool = True,
    ) -> None:
        """Store the settings; nothing happens before ``start``.

        Args:
            address: the broker.
            client_id: our identifier, unique at the broker.
            on_message: takes each message that arrives.
            on_connect: called after every connect, the first and all later ones. The subscriptions are already on
                their way; what it publishes follows them.
            on_disconnect: called with one line when a connection was lost; not by ``stop``.
            will: what the broker publishes if we vanish; a function is asked anew before each attempt, so that a will
                can carry the number of its connection.
            keepalive_s: a connection on which nothing arrives for twice as long is taken for dead.
            protocol: ``auto`` tries MQTT 5 and falls back to 3.1.1; a refusal of the version is remembered.
            session_expiry_s: how long the broker keeps our session while we are away; 0 for a clean session. Version
                3.1.1 knows only "clean" or "for ever": any other number is "for ever" there.
            backoff: the waits between attempts.
            rng: the jitter's generator.
            bounds: how much may wait or be unacknowledged.
            publish_deadline_s: how long ``publish`` waits for room.
            connect_timeout_s: how long the TCP connect, the TLS handshake and the broker's answer may take, each.
            max_packet_bytes: a limit the broker is known to have but does not advertise.
            incoming_limit_bytes: the largest packet that we take; an MQTT 5 broker is told.
            retry_refused: go on trying, slowly, after a refusal of credentials (a device, whose account may yet be
                made); False gives up, and ``on_disconnect`` says why.
        """
        self._address = address
        self._publish_deadline_s = publish_deadline_s
        self._traffic = Traffic(address, bounds=bounds or OutboxBounds(), max_packet_bytes=max_packet_bytes)
        self._reconnection = Reconnection(
            client_id=client_id,
            protocol=protocol,
            backoff=backoff or Backoff(),
            rng=rng if rng is not None else np.random.default_rng(),
        )
        self._network = NetworkThread(
            ClientSettings(
                address,
                client_id=client_id,
                keepalive_s=keepalive_s,
                session_expiry_s=session_expiry_s,
                connect_timeout_s=connect_timeout_s,
                incoming_limit_bytes=incoming_limit_bytes,
            ),
            traffic=self._traffic,
            reconnection=self._reconnection,
            will=will,
            retry_refused=retry_refused,
            on_message=on_message,
            on_connect=on_connect,
            on_disconnect=on_disconnect,
        )

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, in the background; returns at once."""
        self._network.start()

    def wait_connected(self, timeout_s: float, *, patient: bool = True) -> None:
        """Wait for the connection.

        Args:
            timeout_s: how long, in seconds.
            patient: False gives up at the first attempt that fails for whatever reason; the link goes on trying.

        Raises:
            BrokerError: the broker refuses us (at once), or there was no connection within ``timeout_s`` seconds (the
                message says what the last attempt met).
        """
        self._network.wait_connected(timeout_s, patient=patient)

    def flush(self, timeout_s: float) -> bool:
        """Wait until the broker has acknowledged everything published and subscribed; False if that took too long."""
        return self._traffic.flush(timeout_s)

    def stop(self) -> None:
        """Disconnect cleanly and end the network thread; the will does not fire.

        What is still in the outbox is dropped: publish the last state and ``flush`` first. Safe to call twice, and from
        a callback.
        """
        self._network.stop()

    def reconnect(self, reason: str) -> None:
        """Give the connection up for another one: it looks alive, and what should come through it does not.

        Nothing happens while there is no connection. From any thread.

        Args:
            reason: what ``on_disconnect`` is told.
        """
        self._network.leave(reason)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- messages -----------------------------------------------------------------------------------------------------

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: float | None = None
    ) -> None:
        """Hand a message over for sending.

        Args:
            topic: where to, without wildcards.
            payload: the bytes.
            qos: 0 or 1.
            retain: whether the broker keeps it for those who subscribe later.
            expiry_s: after so many seconds nobody wants it: it is not sent any more, and an MQTT 5 broker drops it.

        Raises:
            ProtocolError: the packet is larger than the broker takes. (Sent, it would cost the connection, and again
                after each reconnect.)
            BrokerError: no room within the deadline, or the link is stopped. On the network thread it never waits.
        """
        check_topic(topic)
        self._traffic.check_size(topic, payload)
        if qos == 0 and not self.connected:
            return
        expires_at = None if expiry_s is None else time.monotonic() + expiry_s
        message = Outgoing(topic, payload, qos, retain, expires_at)
        on_network_thread = self._network.is_current
        timeout_s = None if on_network_thread else self._publish_deadline_s
        if not self._traffic.outbox.put(message, timeout_s=timeout_s):
            if self._traffic.outbox.closed:
                raise BrokerError(f"the link to broker {self._address} is stopped; {topic} was not published")
            waited = "" if on_network_thread else f" for {self._publish_deadline_s:g} s"
            problem = "takes no messages" if self.connected else "is away"
            raise BrokerError(f"broker {self._address} {problem}{waited}; {topic} was not published")
        if not on_network_thread:
            self._network.wake()

    def subscribe(self, *filters: str, qos: int = 1) -> None:
        """Hear these topics, now and after every reconnect; wildcards ``+`` and ``#`` as MQTT has them.

        QoS 0 suits topics whose messages are retained: what a lost connection swallows comes again with the next
        subscription, and some brokers hand out more retained messages at once than at QoS 1 (the embedded one: 100).

        Raises:
            ProtocolError: what is given is no topic filter.
        """
        for one in filters:
            check_filter(one)
        self._traffic.hear(filters, qos=qos)
        self._network.wake()

    def unsubscribe(self, *filters: str) -> None:
        """Hear these topics no more."""
        self._traffic.hear_no_more(filters)
        self._network.wake()

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection has not been seen to break."""
        return self._network.connected

    @property
    def trouble(self) -> str:
        """Why there is no connection, in one line; empty while there is one, and until the first attempt has ended."""
        ending = self._network.ending
        return ending.reason if ending is not None else ""

    @property
    def address(self) -> BrokerAddress:
        """The broker's address."""
        return self._address

    @property
    def max_packet_bytes(self) -> int | None:
        """The largest packet that may be published, header and topic included; None when no limit is known.

        What the broker of the last connection advertised (MQTT 5), or the limit given, whichever is smaller.
        """
        return self._traffic.max_packet_bytes

    @property
    def protocol(self) -> Protocol:
        """The version of MQTT spoken, or tried next."""
        return self._reconnection.protocol

    @property
    def refused_filters(self) -> frozenset[str]:
        """Subscriptions that the broker did not grant."""
        return self._traffic.refused_filters

    @property
    def bytes_sent(self) -> int:
        """Payload bytes handed to the connection so far, repeats included."""
        return self._traffic.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Payload bytes that arrived so far."""
        return self._traffic.bytes_received

    @property
    def refused(self) -> bool:
        """Whether the broker turned this client away by name or right; more attempts will hardly mend it."""
        ending = self._network.ending
        return ending is not None and ending.cause is Cause.REFUSED
