"""What passes over a link: messages on their way out, the topics to hear, and how many bytes it came to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import ProtocolError
from shared.mqtt.acknowledgements import Acknowledgements
from shared.mqtt.address import BrokerAddress
from shared.mqtt.connection import Connection
from shared.mqtt.outbox import Outbox, OutboxBounds, Outgoing
from shared.mqtt.subscriptions import Subscriptions

_log = logging.getLogger(__name__)

# Fixed header, topic length, packet identifier, property length and the expiry property.
_PACKET_OVERHEAD_BYTES = 5 + 2 + 2 + 1 + 5


class Traffic:
    """Outlives each connection: what one swallowed goes out again on the next, and what is to be heard is asked anew.

    What is wanted (`outbox`, `hear`, `hear_no_more`) is left, and what is known is asked, from any thread. What a
    connection does (`opened`, `pump`, `sent`, `granted`, `closed`) belongs to the network thread.

    Args:
        address: the broker, for the words about it.
        bounds: how much may wait or be unacknowledged.
        max_packet_bytes: a limit the broker is known to have but does not advertise.

    Attributes:
        outbox: the messages that wait or are unacknowledged.
        bytes_sent: payload bytes handed to connections so far, repeats included.
        bytes_received: payload bytes that arrived so far.
    """

    def __init__(self, address: BrokerAddress, *, bounds: OutboxBounds, max_packet_bytes: int | None) -> None:
        self.outbox = Outbox(bounds)
        self.bytes_sent = 0
        self.bytes_received = 0
        self._address = address
        self._known_limit_bytes = max_packet_bytes
        self._broker_limit_bytes: int | None = None
        self._changed = threading.Condition()
        self._subscriptions = Subscriptions()
        self._open = False
        self._unacknowledged = Acknowledgements(clock=time.monotonic)
        self._refusal_said = False

    # -- from any thread ----------------------------------------------------------------------------------------------

    @property
    def max_packet_bytes(self) -> int | None:
        """The largest packet that the broker takes, in bytes; None when no limit is known."""
        limits = [one for one in (self._known_limit_bytes, self._broker_limit_bytes) if one is not None]
        return min(limits, default=None)

    @property
    def refused_filters(self) -> frozenset[str]:
        """Subscriptions that the broker did not grant."""
        with self._changed:
            return frozenset(self._subscriptions.refused)

    def check_size(self, topic: str, payload: bytes) -> None:
        """Check that a message fits into a packet that the broker takes.

        Raises:
            ProtocolError: it does not.
        """
        limit, size = self.max_packet_bytes, _packet_bytes(topic, payload)
        if limit is not None and size > limit:
            raise ProtocolError(
                f"a message of {len(payload):,} bytes on {topic} makes a packet of {size:,} bytes, "
                f"but broker {self._address} takes {limit:,}; send smaller chunks"
            )

    def hear(self, filters: Sequence[str], *, qos: int) -> None:
        """Want to hear these topics."""
        with self._changed:
            self._subscriptions.want(filters, qos=qos)

    def hear_no_more(self, filters: Sequence[str]) -> None:
        """Want to hear these topics no more."""
        with self._changed:
            self._subscriptions.drop(filters)

    def flush(self, timeout_s: float) -> bool:
        """Wait until the broker has acknowledged everything published and wanted; False if that took too long."""
        deadline = time.monotonic() + timeout_s
        if not self.outbox.wait_empty(timeout_s):
            return False
        with self._changed:
            return self._changed.wait_for(
                lambda: self._open and self._subscriptions.settled, max(0.0, deadline - time.monotonic())
            )

    # -- on the network thread ----------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> None:
        """The broker has accepted a connection: the subscriptions go out first."""
        self._broker_limit_bytes = connection.max_packet_bytes
        self._unacknowledged = Acknowledgements(clock=time.monotonic)
        self._refusal_said = False
        with self._changed:
            self._subscriptions.connected(session_present=connection.session_present)
            self._open = True
            self._changed.notify_all()
        self._pump_subscriptions(connection)

    def pump(self, connection: Connection) -> None:
        """Hand over what waits, as far as the window allows."""
        self._pump_subscriptions(connection)
        while (message := self.outbox.take(receive_maximum=connection.receive_maximum)) is not None:
            limit = self.max_packet_bytes
            if limit is not None and _packet_bytes(message.topic, message.payload) > limit:
                # Queued while the limit was not known.
                _log.error(
                    "a message of %d bytes on %s is too large for broker %s and is dropped",
                    len(message.payload),
                    message.topic,
                    self._address,
                )
                self.outbox.done(message)
                continue
            expiry_s = None if message.expires_at is None else message.expires_at - time.monotonic()
            connection.publish(message, expiry_s=expiry_s)
            if message.qos:
                self._unacknowledged.sent(message)
            self.bytes_sent += len(message.payload)

    @property
    def stuck(self) -> bool:
        """Whether a message that went out on this connection will not be acknowledged on it any more."""
        return self._unacknowledged.lost

    def sent(self, message: Outgoing, code: ReasonCode) -> None:
        """A message was acknowledged (QoS 1) or written (QoS 0)."""
        if code.is_failure and not self._refusal_said:
            # Whoever may not write one chunk may not write the next hundred.
            self._refusal_said = True
            _log.warning(
                "broker %s refused a message on %s: %s; what else it refuses on this connection is not told",
                self._address,
                message.topic,
                code,
            )
        self._unacknowledged.came(message)
        self.outbox.done(message)

    def granted(self, packet: int, codes: Sequence[ReasonCode]) -> None:
        """The broker answered a SUBSCRIBE packet."""
        with self._changed:
            refused = self._subscriptions.granted(packet, [code.is_failure for code in codes])
            self._changed.notify_all()
        if refused:
            _log.warning("broker %s does not let this client hear %s", self._address, ", ".join(refused))

    def closed(self) -> None:
        """The connection, or the attempt at one, is over: what it did not get acknowledged waits for the next."""
        for message in self.outbox.requeue():
            _log.error(
                "a message of %d bytes on %s broke the connection %d times and is dropped",
                len(message.payload),
                message.topic,
                message.tries,
            )
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _pump_subscriptions(self, connection: Connection) -> None:
        with self._changed:
            if drop := self._subscriptions.to_unsubscribe():
                connection.unsubscribe(drop)
                self._subscriptions.withdrawn(drop)
            if want := self._subscriptions.to_subscribe():
                self._subscriptions.asked(connection.subscribe(want), tuple(want))


def _packet_bytes(topic: str, payload: bytes) -> int:
    return _PACKET_OVERHEAD_BYTES + len(topic.encode()) + len(payload)
