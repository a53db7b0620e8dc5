"""The MQTT link: one connection that is always there, or on its way back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal, Self

import numpy as np
from paho.mqtt.reasoncodes import ReasonCode

from shared.errors import BrokerError, ProtocolError
from shared.mqtt.acknowledgements import Acknowledgements
from shared.mqtt.address import BrokerAddress
from shared.mqtt.backoff import Backoff
from shared.mqtt.connection import Connection, Protocol
from shared.mqtt.ending import Cause, Ending
from shared.mqtt.message import Message, Will
from shared.mqtt.outbox import Outbox, OutboxBounds, Outgoing
from shared.mqtt.subscriptions import Subscriptions
from shared.mqtt.syntax import check_filter, check_topic
from shared.mqtt.wakeup import Wakeup

_log = logging.getLogger(__name__)

# Fixed header, topic length, packet identifier, property length and the expiry property.
_PACKET_OVERHEAD_BYTES = 5 + 2 + 2 + 1 + 5

# How long ``stop`` waits for a goodbye to be sent, and for an attempt to connect, in seconds.
_FAREWELL_S = 3.0
_ATTEMPT_S = 0.5

# So many connections in a row that were lost soon after they were made look like two clients with one identifier.
_SUSPICIOUS = 3


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
        self._client_id = client_id
        self._will = will
        self._deliver = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._keepalive_s = keepalive_s
        self._protocol_choice = protocol
        self._protocol: Protocol = "3.1.1" if protocol == "3.1.1" else "5"
        self._session_expiry_s = session_expiry_s
        self._backoff = backoff or Backoff()
        self._rng = rng if rng is not None else np.random.default_rng()
        self._publish_deadline_s = publish_deadline_s
        self._connect_timeout_s = connect_timeout_s
        self._packet_limit_bytes = max_packet_bytes
        self._broker_limit_bytes: int | None = None
        self._incoming_limit_bytes = incoming_limit_bytes
        self._retry_refused = retry_refused
        self._outbox = Outbox(bounds or OutboxBounds())
        self._subscriptions = Subscriptions()
        self._state = threading.Condition()
        self._connected = False
        self._ending: Ending | None = None
        self._failures = 0
        self._unacknowledged = Acknowledgements(clock=time.monotonic)
        self._distrust = ""
        self._short_lived = 0
        self._refusal_said = False
        self._stopping = threading.Event()
        self._wakeup = Wakeup()
        self._thread: threading.Thread | None = None
        self._bytes_sent = 0
        self._bytes_received = 0

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect, in the background; returns at once."""
        if self._thread is not None:
            raise RuntimeError("a link is started once")
        self._wakeup.open()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{self._client_id}", daemon=True)
        self._thread.start()

    def wait_connected(self, timeout_s: float, *, patient: bool = True) -> None:
        """Wait for the connection.

        Args:
            timeout_s: how long, in seconds.
            patient: False gives up at the first attempt that fails for whatever reason; the link goes on trying.

        Raises:
            BrokerError: the broker refuses us (at once), or there was no connection within ``timeout_s`` seconds (the
                message says what the last attempt met).
        """

        def over() -> bool:
            failed = self.refused or (self._failures > 0 and not patient)
            return self._connected or failed or self._stopping.is_set()

        with self._state:
            self._state.wait_for(over, timeout_s)
            if self._connected:
                return
            if self._ending is not None:
                raise BrokerError(self._ending.reason)
        if self._stopping.is_set():
            raise BrokerError(f"the link to broker {self._address} is stopped")
        raise BrokerError(f"broker {self._address} does not answer within {timeout_s:g} s")

    def flush(self, timeout_s: float) -> bool:
        """Wait until the broker has acknowledged everything published and subscribed; False if that took too long."""
        deadline = time.monotonic() + timeout_s
        if not self._outbox.wait_empty(timeout_s):
            return False
        with self._state:
            return self._state.wait_for(
                lambda: self._connected and self._subscriptions.settled, max(0.0, deadline - time.monotonic())
            )

    def stop(self) -> None:
        """Disconnect cleanly and end the network thread; the will does not fire.

        What is still in the outbox is dropped: publish the last state and ``flush`` first. Safe to call twice, and from
        a callback.
        """
        self._stopping.set()
        self._outbox.close()
        self._wakeup.set()
        with self._state:
            self._state.notify_all()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            # An attempt to connect cannot be interrupted; a daemon thread in the middle of one ends by itself later.
            thread.join(_FAREWELL_S if self._connected else _ATTEMPT_S)

    def reconnect(self, reason: str) -> None:
        """Give the connection up for another one: it looks alive, and what should come through it does not.

        Nothing happens while there is no connection. From any thread.

        Args:
            reason: what ``on_disconnect`` is told.
        """
        if self._connected:
            self._distrust = reason
            self._wakeup.set()

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
        limit = self.max_packet_bytes
        size = _packet_bytes(topic, payload)
        if limit is not None and size > limit:
            raise ProtocolError(
                f"a message of {len(payload):,} bytes on {topic} makes a packet of {size:,} bytes, "
                f"but broker {self._address} takes {limit:,}; send smaller chunks"
            )
        if qos == 0 and not self._connected:
            return
        expires_at = None if expiry_s is None else time.monotonic() + expiry_s
        message = Outgoing(topic, payload, qos, retain, expires_at)
        on_network_thread = threading.current_thread() is self._thread
        timeout_s = None if on_network_thread else self._publish_deadline_s
        if not self._outbox.put(message, timeout_s=timeout_s):
            if self._outbox.closed:
                raise BrokerError(f"the link to broker {self._address} is stopped; {topic} was not published")
            waited = "" if on_network_thread else f" for {self._publish_deadline_s:g} s"
            problem = "takes no messages" if self._connected else "is away"
            raise BrokerError(f"broker {self._address} {problem}{waited}; {topic} was not published")
        if not on_network_thread:
            self._wakeup.set()

    def subscribe(self, *filters: str, qos: int = 1) -> None:
        """Hear these topics, now and after every reconnect; wildcards ``+`` and ``#`` as MQTT has them.

        QoS 0 suits topics whose messages are retained: what a lost connection swallows comes again with the next
        subscription, and some brokers hand out more retained messages at once than at QoS 1 (the embedded one: 100).

        Raises:
            ProtocolError: what is given is no topic filter.
        """
        for one in filters:
            check_filter(one)
        with self._state:
            self._subscriptions.want(filters, qos=qos)
        self._wakeup.set()

    def unsubscribe(self, *filters: str) -> None:
        """Hear these topics no more."""
        with self._state:
            self._subscriptions.drop(filters)
        self._wakeup.set()

    # -- what is known ------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection has not been seen to break."""
        return self._connected

    @property
    def trouble(self) -> str:
        """Why there is no connection, in one line; empty while there is one, and until the first attempt has ended."""
        with self._state:
            return self._ending.reason if self._ending is not None else ""

    @property
    def address(self) -> BrokerAddress:
        """The broker's address."""
        return self._address

    @property
    def max_packet_bytes(self) -> int | None:
        """The largest packet that may be published, header and topic included; None when no limit is known.

        What the broker of the last connection advertised (MQTT 5), or the limit given, whichever is smaller.
        """
        limits = [one for one in (self._packet_limit_bytes, self._broker_limit_bytes) if one is not None]
        return min(limits, default=None)

    @property
    def protocol(self) -> Protocol:
        """The version of MQTT spoken, or tried next."""
        return self._protocol

    @property
    def refused_filters(self) -> frozenset[str]:
        """Subscriptions that the broker did not grant."""
        with self._state:
            return frozenset(self._subscriptions.refused)

    @property
    def bytes_sent(self) -> int:
        """Payload bytes handed to the connection so far, repeats included."""
        return self._bytes_sent

    @property
    def bytes_received(self) -> int:
        """Payload bytes that arrived so far."""
        return self._bytes_received

    @property
    def refused(self) -> bool:
        """Whether the broker turned this client away by name or right; more attempts will hardly mend it."""
        return self._ending is not None and self._ending.cause is Cause.REFUSED

    # -- the network thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        version_refused = False
        said = ""
        try:
            while not self._stopping.is_set():
                ending = self._live()
                if ending is None:
                    return
                # Said once, not at every attempt.
                _log.log(logging.DEBUG if ending.reason == said else logging.INFO, "%s", ending.reason)
                said = ending.reason
                if ending.cause is Cause.REFUSED and not self._retry_refused:
                    return
                auto = self._protocol_choice == "auto" and not version_refused
                if auto and self._protocol == "5" and ending.cause in (Cause.VERSION, Cause.SILENT):
                    # A refusal in words settles it; a connection closed without one may have other reasons.
                    version_refused = ending.cause is Cause.VERSION
                    self._protocol = "3.1.1"
                    continue
                if auto:
                    self._protocol = "5"
                slow = ending.cause in (Cause.REFUSED, Cause.TAKEN_OVER)
                if slow:
                    wait_s = self._backoff.wait_refused_s(rng=self._rng)
                else:
                    wait_s = self._backoff.wait_s(self._failures, rng=self._rng)
                with self._state:
                    self._failures += 1
                    self._state.notify_all()
                self._stopping.wait(wait_s)
        finally:
            self._outbox.close()
            self._wakeup.close()

    def _live(self) -> Ending | None:
        """Connect and serve until the connection ends; None when ``stop`` ended it."""
        connection = Connection(
            self._address,
            client_id=self._client_id,
            protocol=self._protocol,
            will=self._current_will(),
            keepalive_s=self._keepalive_s,
            session_expiry_s=self._session_expiry_s,
            connect_timeout_s=self._connect_timeout_s,
            incoming_limit_bytes=self._incoming_limit_bytes,
            on_message=self._receive,
            on_sent=self._sent,
            on_subscribed=self._subscribed,
        )
        ending, lived_s = self._serve(connection)
        connection.close(goodbye=ending is None)
        announced = lived_s is not None
        if ending is not None and lived_s is not None:
            ending = self._judged(ending, lived_s=lived_s)
        for message in self._outbox.requeue():
            _log.error(
                "a message of %d bytes on %s broke the connection %d times and is dropped",
                len(message.payload),
                message.topic,
                message.tries,
            )
        with self._state:
            self._connected = False
            self._ending = ending
            self._state.notify_all()
        if (
            ending is not None
            and self._on_disconnect is not None
            and (announced or (ending.cause is Cause.REFUSED and not self._retry_refused))
        ):
            self._call(self._on_disconnect, ending.reason)
        return ending

    def _serve(self, connection: Connection) -> tuple[Ending | None, float | None]:
        """Serve until the end; returns it (None after ``stop``) and how long we were connected (None: never)."""
        connected_at: float | None = None
        try:
            ending = connection.open()
            while ending is None and not self._stopping.is_set():
                if connection.connected:
                    if connected_at is None:
                        connected_at = time.monotonic()
                        self._announce(connection)
                    self._pump(connection)
                ending = connection.step(wake_fd=self._wakeup.fileno())
                self._wakeup.clear()
                if ending is None and connected_at is not None:
                    ending = self._given_up()
        except Exception as error:
            # A fault of ours must not leave a device without its link for good.
            _log.exception("the MQTT link failed")
            ending = Ending(Cause.LOST, f"the link to broker {self._address} failed: {error}")
        return ending, None if connected_at is None else time.monotonic() - connected_at

    def _given_up(self) -> Ending | None:
        """Say why a connection that still stands is of no use any more, if so."""
        if self._distrust:
            return Ending(Cause.LOST, self._distrust)
        if self._unacknowledged.lost:
            return Ending(Cause.LOST, f"broker {self._address} does not acknowledge what was sent; connecting anew")
        return None

    def _judged(self, ending: Ending, *, lived_s: float) -> Ending:
        """Count connections that did not last; not every broker says that another client took our place."""
        self._failures = self._backoff.failures_after(self._failures, lived_s=lived_s)
        if lived_s >= self._backoff.stable_s:
            self._short_lived = 0
            return ending
        self._short_lived += 1
        if ending.cause is Cause.LOST and self._short_lived >= _SUSPICIOUS:
            return Ending(
                Cause.LOST,
                f"{ending.reason}, {self._short_lived} times soon after it was made; "
                f"does another client use the identifier {self._client_id!r}?",
            )
        return ending

    def _announce(self, connection: Connection) -> None:
        self._broker_limit_bytes = connection.max_packet_bytes
        self._unacknowledged = Acknowledgements(clock=time.monotonic)
        self._distrust = ""
        self._refusal_said = False
        with self._state:
            self._subscriptions.connected(session_present=connection.session_present)
            self._connected = True
            self._ending = None
            self._state.notify_all()
        self._pump_subscriptions(connection)
        self._call(self._on_connect)

    def _pump(self, connection: Connection) -> None:
        self._pump_subscriptions(connection)
        while (message := self._outbox.take(receive_maximum=connection.receive_maximum)) is not None:
            limit = self.max_packet_bytes
            if limit is not None and _packet_bytes(message.topic, message.payload) > limit:
                # Queued while the limit was not known.
                _log.error(
                    "a message of %d bytes on %s is too large for broker %s and is dropped",
                    len(message.payload),
                    message.topic,
                    self._address,
                )
                self._outbox.done(message)
                continue
            expiry_s = None if message.expires_at is None else message.expires_at - time.monotonic()
            connection.publish(message, expiry_s=expiry_s)
            if message.qos:
                self._unacknowledged.sent(message)
            self._bytes_sent += len(message.payload)

    def _pump_subscriptions(self, connection: Connection) -> None:
        with self._state:
            if drop := self._subscriptions.to_unsubscribe():
                connection.unsubscribe(drop)
                self._subscriptions.withdrawn(drop)
            if want := self._subscriptions.to_subscribe():
                self._subscriptions.asked(connection.subscribe(want), tuple(want))

    def _receive(self, message: Message) -> None:
        self._bytes_received += len(message.payload)
        self._call(self._deliver, message)

    def _sent(self, message: Outgoing, code: ReasonCode) -> None:
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
        self._outbox.done(message)

    def _subscribed(self, packet: int, codes: Sequence[ReasonCode]) -> None:
        with self._state:
            refused = self._subscriptions.granted(packet, [code.is_failure for code in codes])
            self._state.notify_all()
        if refused:
            _log.warning("broker %s does not let this client hear %s", self._address, ", ".join(refused))

    def _current_will(self) -> Will | None:
        if not callable(self._will):
            return self._will
        try:
            return self._will()
        except Exception:
            _log.exception("the will of the MQTT link could not be made; connecting without one")
            return None

    def _call(self, callback: Callable[..., None], *arguments: object) -> None:
        try:
            callback(*arguments)
        except Exception:
            _log.exception("a callback of the MQTT link failed")


def _packet_bytes(topic: str, payload: bytes) -> int:
    return _PACKET_OVERHEAD_BYTES + len(topic.encode()) + len(payload)
