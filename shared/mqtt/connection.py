"""One connection to a broker: a paho client for the life of one TCP connection.

paho is used for what it is good at, the packets, and driven from one thread through its external-loop interface.
Its own loop is not used: it waits in ``select``, which fails at file descriptor 1024, and a process that simulates a
few hundred devices gets there; its reconnects know neither jitter nor another protocol version; and its queue is
unbounded. A connection that ended is thrown away whole, so no state of paho's survives into the next.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from shared.mqtt.client_settings import ClientSettings
from shared.mqtt.ending import Cause, Ending, farewell, refusal, turned_away, unreachable
from shared.mqtt.message import Message, Will
from shared.mqtt.outbox import Outgoing
from shared.mqtt.tls import TlsSocket, tls_context

Protocol = Literal["5", "3.1.1"]

_log = logging.getLogger(__name__)
_GOODBYE_S = 2.0
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux alone has it


class Connection:
    """One TCP connection that speaks MQTT; every method belongs to the network thread.

    Attributes:
        connected: the broker accepted us, and the connection has not ended.
        session_present: the broker still holds our session, subscriptions included.
        receive_maximum: how many QoS 1 messages the broker takes unacknowledged.
        max_packet_bytes: the largest packet the broker takes; None when it did not say.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        protocol: Protocol,
        will: Will | None,
        on_message: Callable[[Message], None],
        on_sent: Callable[[Outgoing, ReasonCode], None],
        on_subscribed: Callable[[int, Sequence[ReasonCode]], None],
    ) -> None:
        self.connected = False
        self.session_present = False
        self.receive_maximum = 65535
        self.max_packet_bytes: int | None = None
        self._settings = settings
        self._address = settings.address
        self._protocol = protocol
        self._will = will
        self._deliver = on_message
        self._on_sent = on_sent
        self._on_subscribed = on_subscribed
        self._in_flight: dict[int, Outgoing] = {}
        self._ending: Ending | None = None
        self._poll = select.poll()
        self._opened_at = 0.0
        self._client: Client | None = None

    def open(self) -> Ending | None:
        """Connect the socket and send CONNECT. Blocks for the connect timeout at most; returns the failure, if any."""
        try:
            client = self._client = self._build()
        except OSError as error:
            # Reading the TLS files is the only thing here that can fail.
            files = [one for one in (self._address.ca_file, self._address.cert_file, self._address.key_file) if one]
            return Ending(Cause.REFUSED, f"cannot use the TLS files {', '.join(files)}: {error.strerror or error}")
        properties = None
        if self._protocol == "5":
            properties = _properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = self._settings.incoming_limit_bytes
            if self._settings.session_expiry_s:
                properties.SessionExpiryInterval = self._settings.session_expiry_s
        arguments: dict[str, Any] = (
            {"clean_start": not self._settings.session_expiry_s} if self._protocol == "5" else {}
        )
        client.connect_async(
            self._address.host, self._address.port, self._settings.keepalive_s, properties=properties, **arguments
        )
        try:
            client.reconnect()
        except OSError as error:
            return unreachable(self._address, error, timeout_s=self._settings.connect_timeout_s)
        except ValueError as error:
            # The resolver's IDNA codec raises this for an impossible host name.
            return Ending(Cause.UNREACHABLE, f"broker {self._address} cannot be reached: {error}")
        sock = client.socket()
        if sock is None:
            return Ending(Cause.SILENT, self._silent_words())
        self._poll.register(sock.fileno(), select.POLLIN)
        self._opened_at = time.monotonic()
        return None

    def step(self, *, wake_fd: int) -> Ending | None:
        """Wait for the socket or the wake-up, then read, write and keep alive. Returns the ending when it is over."""
        assert self._client is not None
        client = self._client
        sock = client.socket()
        if sock is None:
            return self._ended(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        self._poll.register(sock.fileno(), select.POLLIN | (select.POLLOUT if client.want_write() else 0))
        self._poll.register(wake_fd, select.POLLIN)
        buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        ready = dict(self._poll.poll(0 if buffered else self._patience_s() * 1000))
        events = ready.get(sock.fileno(), 0)
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            if buffered or events & ~select.POLLOUT:
                rc = client.loop_read()
                _acknowledge_at_once(client.socket())
            if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and client.want_write():
                rc = client.loop_write()
            if rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                rc = client.loop_misc()
        except Exception as error:
            # A packet that paho cannot take apart must end this connection, never the thread.
            _log.debug("paho failed", exc_info=True)
            return Ending(Cause.LOST, f"broker {self._address} sent what cannot be understood: {error}")
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None or self._ending is not None:
            alert = sock.alert if isinstance(sock, TlsSocket) else None
            return (turned_away(self._address, alert) if alert is not None else None) or self._ended(rc)
        if not self.connected and time.monotonic() - self._opened_at > self._settings.connect_timeout_s:
            return Ending(
                Cause.SILENT,
                f"{self._address} accepts connections but does not answer as an MQTT broker "
                f"within {self._settings.connect_timeout_s:g} s",
            )
        return None

    def publish(self, message: Outgoing, *, expiry_s: float | None) -> None:
        """Queue a PUBLISH packet; ``on_sent`` follows when it is acknowledged (QoS 1) or written (QoS 0)."""
        assert self._client is not None
        properties = None
        if expiry_s is not None and self._protocol == "5":
            properties = _properties(PacketTypes.PUBLISH)
            properties.MessageExpiryInterval = max(1, round(expiry_s))
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        self._in_flight[info.mid] = message

    def subscribe(self, filters: Mapping[str, int]) -> int:
        """Queue one SUBSCRIBE packet (filter → QoS); ``on_subscribed`` follows with the identifier returned here."""
        assert self._client is not None
        version5 = self._protocol == "5"
        topics: list[Any] = [(f, SubscribeOptions(qos=q) if version5 else q) for f, q in filters.items()]
        return self._client.subscribe(topics)[1] or 0

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Queue one UNSUBSCRIBE packet."""
        assert self._client is not None
        self._client.unsubscribe(list(filters))

    def close(self, *, goodbye: bool) -> None:
        """Close the socket; with ``goodbye``, send DISCONNECT first, so that the broker lets the will rest."""
        client, self._client = self._client, None
        if client is None:
            return
        sock = client.socket()
        if sock is None:
            return
        if goodbye and self.connected:
            client.disconnect()
            deadline = time.monotonic() + _GOODBYE_S
            writable = select.poll()
            writable.register(sock.fileno(), select.POLLOUT)
            while client.want_write() and client.socket() is not None and time.monotonic() < deadline:
                writable.poll(100)
                if client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break
        self.connected = False
        remaining = client.socket()
        if isinstance(remaining, socket.socket):
            remaining.close()

    def _build(self) -> Client:
        version5 = self._protocol == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._settings.client_id,
            clean_session=None if version5 else not self._settings.session_expiry_s,
            protocol=MQTTProtocolVersion.MQTTv5 if version5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._settings.connect_timeout_s
        client.max_inflight_messages = 0  # the outbox keeps the window
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.tls:
            client.tls_set_context(tls_context(self._address))
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        client.on_connect = self._on_connack
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_publish
        client.on_publish = self._on_puback
        client.on_subscribe = self._on_suback
        client.on_socket_open = _no_delay
        # With this set, paho leaves writing to the loop.
        client.on_socket_register_write = _nothing
        return client

    def _patience_s(self) -> float:
        assert self._client is not None
        if not self.connected:
            return min(0.5, self._settings.connect_timeout_s)
        return max(0.05, min(5.0, self._client.keepalive / 6))

    def _on_connack(
        self, client: Client, _: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if code.is_failure:
            self._ending = refusal(self._address, code, client_id=self._settings.client_id)
            return
        self.connected = True
        self.session_present = flags.session_present
        self.receive_maximum = getattr(properties, "ReceiveMaximum", None) or 65535
        self.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)

    def _on_disconnect(
        self, client: Client, _: Any, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._ending is not None:
            return
        if flags.is_disconnect_packet_from_server:
            self._ending = farewell(self._address, code, client_id=self._settings.client_id)
        elif code == "Keep alive timeout":
            self._ending = Ending(Cause.LOST, f"broker {self._address} went silent; the connection is taken for dead")

    def _on_publish(self, client: Client, _: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            _log.warning("a message whose topic is not UTF-8 was dropped")
            return
        self._deliver(Message(topic, bytes(message.payload), message.retain, message.qos))

    def _on_puback(self, client: Client, _: Any, mid: int, code: ReasonCode, properties: Properties | None) -> None:
        message = self._in_flight.pop(mid, None)
        if message is not None:
            self._on_sent(message, code)

    def _on_suback(
        self, client: Client, _: Any, mid: int, codes: list[ReasonCode], properties: Properties | None
    ) -> None:
        self._on_subscribed(mid, codes)

    def _ended(self, rc: MQTTErrorCode) -> Ending:
        if self._ending is not None:
            return self._ending
        if not self.connected:
            return Ending(Cause.SILENT, self._silent_words())
        if rc == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return Ending(Cause.LOST, f"broker {self._address} broke the MQTT protocol")
        return Ending(Cause.LOST, f"the connection to broker {self._address} was lost")

    def _silent_words(self) -> str:
        return f"{self._address} closes the connection before it answers; is an MQTT broker there, and is TLS right?"


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _no_delay(client: Client, _: Any, sock: Any) -> None:
    # Small control messages must not wait for the acknowledgement of the last packet (Nagle's algorithm).
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _acknowledge_at_once(sock: Any) -> None:
    # A broker that leaves Nagle's algorithm on (rumqttd does) holds its second small packet back until we have
    # acknowledged the first, which the kernel puts off for 40 ms unless told otherwise, anew after each read.
    if _QUICKACK is not None and sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


def _nothing(client: Client, userdata: Any, sock: Any) -> None:
    pass
