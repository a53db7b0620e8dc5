"""The thread that owns a link's socket: it connects, serves, and connects again until it is stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from shared.errors import BrokerError
from shared.mqtt.client_settings import ClientSettings
from shared.mqtt.connection import Connection
from shared.mqtt.ending import Cause, Ending
from shared.mqtt.message import Message, Will
from shared.mqtt.reconnection import Reconnection
from shared.mqtt.traffic import Traffic
from shared.mqtt.wakeup import Wakeup

_log = logging.getLogger(__name__)

# How long ``stop`` waits for a goodbye to be sent, and for an attempt to connect, in seconds.
_FAREWELL_S = 3.0
_ATTEMPT_S = 0.5


class NetworkThread:
    """Keeps a connection up, or on its way back, and the traffic going over it.

    The public methods may be called from any thread. The callbacks are called on this one; an exception out of them is
    logged and goes no further.

    Args:
        settings: what each connection is made with.
        traffic: what passes over the connections.
        reconnection: what is tried after one has ended.
        will: what the broker publishes if we vanish; a function is asked anew before each attempt.
        retry_refused: go on trying after a refusal of credentials.
        on_message: takes each message that arrives.
        on_connect: called after every connect; the subscriptions are on their way.
        on_disconnect: called with one line when a connection was lost, and when a refusal ends the thread.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        traffic: Traffic,
        reconnection: Reconnection,
        will: Will | Callable[[], Will] | None,
        retry_refused: bool,
        on_message: Callable[[Message], None],
        on_connect: Callable[[], None],
        on_disconnect: Callable[[str], None] | None,
    ) -> None:
        self._settings = settings
        self._traffic = traffic
        self._reconnection = reconnection
        self._will = will
        self._retry_refused = retry_refused
        self._deliver = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._state = threading.Condition()
        self._connected = False
        self._ending: Ending | None = None
        self._distrust = ""
        self._stopping = threading.Event()
        self._wakeup = Wakeup()
        self._thread: threading.Thread | None = None

    # -- from any thread ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._thread is not None:
            raise RuntimeError("a link is started once")
        self._wakeup.open()
        name = f"mqtt-{self._settings.client_id}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect cleanly and end. Safe to call twice, and from a callback."""
        self._stopping.set()
        self._traffic.outbox.close()
        self._wakeup.set()
        with self._state:
            self._state.notify_all()
        thread = self._thread
        if thread is not None and not self.is_current:
            # An attempt to connect cannot be interrupted; a daemon thread in the middle of one ends by itself later.
            thread.join(_FAREWELL_S if self._connected else _ATTEMPT_S)

    def wake(self) -> None:
        """Have it look at the traffic: there is something new."""
        self._wakeup.set()

    def leave(self, reason: str) -> None:
        """Give the connection up for another one, if there is one."""
        if self._connected:
            self._distrust = reason
            self._wakeup.set()

    def wait_connected(self, timeout_s: float, *, patient: bool) -> None:
        """Wait for the connection; see `MqttLink.wait_connected`."""

        def over() -> bool:
            refused = self._ending is not None and self._ending.cause is Cause.REFUSED
            failed = refused or (self._reconnection.failures > 0 and not patient)
            return self._connected or failed or self._stopping.is_set()

        address = self._settings.address
        with self._state:
            self._state.wait_for(over, timeout_s)
            if self._connected:
                return
            if self._ending is not None:
                raise BrokerError(self._ending.reason)
        if self._stopping.is_set():
            raise BrokerError(f"the link to broker {address} is stopped")
        raise BrokerError(f"broker {address} does not answer within {timeout_s:g} s")

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection has not been seen to break."""
        return self._connected

    @property
    def ending(self) -> Ending | None:
        """How the last connection or attempt ended; None while there is one, and before the first attempt has ended."""
        with self._state:
            return self._ending

    # -- on this thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
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
                with self._state:
                    wait_s = self._reconnection.wait_after(ending)
                    self._state.notify_all()
                self._stopping.wait(wait_s)
        finally:
            self._traffic.outbox.close()
            self._wakeup.close()

    def _live(self) -> Ending | None:
        """Connect and serve until the connection ends; None when ``stop`` ended it."""
        connection = Connection(
            self._settings,
            protocol=self._reconnection.protocol,
            will=self._current_will(),
            on_message=self._receive,
            on_sent=self._traffic.sent,
            on_subscribed=self._traffic.granted,
        )
        ending, lived_s = self._serve(connection)
        connection.close(goodbye=ending is None)
        announced = lived_s is not None
        if ending is not None and lived_s is not None:
            ending = self._reconnection.judged(ending, lived_s=lived_s)
        self._traffic.closed()
        with self._state:
            self._connected = False
            self._ending = ending
            self._state.notify_all()
        if (
            ending is not None
            and self._on_disconnect is not None
            and (announced or (ending.cause is Cause.REFUSED and not self._retry_refused))
        ):
            _call(self._on_disconnect, ending.reason)
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
                    self._traffic.pump(connection)
                ending = connection.step(wake_fd=self._wakeup.fileno())
                self._wakeup.clear()
                if ending is None and connected_at is not None:
                    ending = self._given_up()
        except Exception as error:
            # A fault of ours must not leave a device without its link for good.
            _log.exception("the MQTT link failed")
            ending = Ending(Cause.LOST, f"the link to broker {self._settings.address} failed: {error}")
        return ending, None if connected_at is None else time.monotonic() - connected_at

    def _announce(self, connection: Connection) -> None:
        self._traffic.opened(connection)
        self._distrust = ""
        with self._state:
            self._connected = True
            self._ending = None
            self._state.notify_all()
        _call(self._on_connect)

    def _given_up(self) -> Ending | None:
        """Say why a connection that still stands is of no use any more, if so."""
        if self._distrust:
            return Ending(Cause.LOST, self._distrust)
        if self._traffic.stuck:
            broker = self._settings.address
            return Ending(Cause.LOST, f"broker {broker} does not acknowledge what was sent; connecting anew")
        return None

    def _receive(self, message: Message) -> None:
        self._traffic.bytes_received += len(message.payload)
        _call(self._deliver, message)

    def _current_will(self) -> Will | None:
        if not callable(self._will):
            return self._will
        try:
            return self._will()
        except Exception:
            _log.exception("the will of the MQTT link could not be made; connecting without one")
            return None


def _call(callback: Callable[..., None], *arguments: object) -> None:
    try:
        callback(*arguments)
    except Exception:
        _log.exception("a callback of the MQTT link failed")
