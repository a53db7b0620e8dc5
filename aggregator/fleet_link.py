"""The aggregator at its broker: what it hears goes to the loop's inbox, and the fleet sees whether it is there."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from aggregator.events import EventLog
from aggregator.inbox import Inbox
from aggregator.news import LinkDown, LinkUp, News, Said
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from shared.errors import BrokerError, ProtocolError
from shared.messages import ServerState, decode
from shared.mqtt import Message, MqttLink, OutboxBounds, Will
from shared.signing import Seal
from shared.topics import Topics, check_name

# What may wait for the loop, of all devices and of one, see `Inbox`.
_INBOX_BYTES = 256 * 1024 * 1024
_LANE_BYTES = 16 * 1024 * 1024
# Whoever holds the broker may announce aggregators without end: the log is told of so many.
_MOST_RIVALS = 100
# Small, so that a control message never waits behind more than this of a broadcast.
_OUTBOX = OutboxBounds(messages=64, size_bytes=1024 * 1024)


class FleetLink:
    """Connects an aggregator with its fleet.

    The network thread only puts what it hears, and what becomes of the connection, into the inbox. The methods are
    called on the loop's thread.

    Args:
        settings: of the aggregator.
        seal: signs the aggregator's state.
        wall_clock: Unix time in seconds; the session numbers go by it.

    Attributes:
        inbox: what waits for the loop; each device has a lane.
    """

    def __init__(self, settings: AggregatorSettings, *, seal: Seal, wall_clock: Callable[[], float]) -> None:
        self.inbox: Inbox[News] = Inbox(most_bytes=_INBOX_BYTES, lane_bytes=_LANE_BYTES, crowded=self._crowded)
        self._settings = settings
        self._seal = seal
        self._wall_clock = wall_clock
        self._topics = Topics(settings.fleet)
        self._session = 0
        # Our own, and those of rivals that were told of.
        self._sessions: set[int] = set()
        self._rivals = 0

    def connect(self, stack: contextlib.ExitStack, stop: threading.Event) -> MqttLink | None:
        """Reach the broker within the time there is for it; None if we are to stop before.

        Args:
            stack: stops the link when it is closed.
            stop: set if we are to stop.

        Raises:
            BrokerError: it is absent or refuses us.
            SettingsError: the fleet's name or the broker's address cannot be.
        """
        settings = self._settings
        link = MqttLink(
            settings.broker_address(),
            client_id=f"{check_name(settings.fleet, what='fleet')}-aggregator-{time.time_ns() % 10**9}",
            on_message=self._on_message,
            on_connect=lambda: self.inbox.put(LinkUp(self._session)),
            on_disconnect=lambda reason: self.inbox.put(LinkDown(reason)),
            will=self._will,
            bounds=_OUTBOX,
        )
        link.subscribe(self._topics.device_states(), self._topics.server_state, qos=0)
        link.subscribe(*self._topics.from_devices())
        link.start()
        stack.callback(link.stop)
        give_up_at = time.monotonic() + settings.connect_s
        while not stop.is_set():
            slice_s = min(0.25, max(0.01, give_up_at - time.monotonic()))
            began = time.monotonic()
            try:
                link.wait_connected(slice_s)
            except BrokerError:
                # A refusal comes before the time is up.
                refused = time.monotonic() - began < 0.9 * slice_s
                if refused or time.monotonic() >= give_up_at:
                    raise
                continue
            if link.flush(10.0) and link.refused_filters:
                raise BrokerError(
                    f"broker {link.address} does not let us subscribe to {min(link.refused_filters)}; "
                    "look at its access control list"
                )
            return link
        return None

    def say_hello(self, session: int, *, sender: Sender) -> None:
        """Tell the fleet that its aggregator is there, by the connection with this session number."""
        self._say_state(sender, online=True, session=session)

    def say_goodbye(self, link: MqttLink, sender: Sender) -> None:
        """Tell the fleet that its aggregator leaves, and end the sender."""
        self._say_state(sender, online=False, session=self._session)
        sender.stop(timeout_s=2.0)
        if link.connected:
            link.flush(2.0)

    def look_for_rival(self, message: Message, log: EventLog) -> bool:
        """Take in what aggregators of the fleet say; whether the message was of that kind.

        Two of one fleet would overwrite each other's rounds: a person is to know.
        """
        if message.topic != self._topics.server_state:
            return False
        with contextlib.suppress(ProtocolError):
            state = decode(ServerState, message.payload, topic=message.topic)
            if state.online and state.session not in self._sessions and self._rivals < _MOST_RIVALS:
                self._sessions.add(state.session)
                self._rivals += 1
                log.say("rival", fleet=self._settings.fleet, session=state.session)
        return True

    def _say_state(self, sender: Sender, *, online: bool, session: int) -> None:
        state = ServerState(online=online, session=session)
        sender.control(self._topics.server_state, state.encode(), retain=True)

    # -- on the network thread ----------------------------------------------------------------------------------------

    def _will(self) -> Will:
        """A new connection has a new session number, so that the death of the old one is told apart."""
        self._session = max(self._session + 1, int(self._wall_clock() * 1000))
        self._sessions.add(self._session)
        topic = self._topics.server_state
        state = ServerState(online=False, session=self._session).encode()
        return Will(topic, self._seal.sign(topic, state))

    def _on_message(self, message: Message) -> None:
        """Leave the message for the loop, unless too much is there already.

        Only presence is retained by right. What a device has the broker keep of anything else comes again at every
        subscription; the access list cannot forbid it (Mosquitto's knows topics, not flags).
        """
        if message.retain and not message.topic.endswith("/state"):
            return
        # fl/v1/FLEET/device/NAME/…; the aggregator's own state has a lane as well.
        self.inbox.hear(message, device="/".join(message.topic.split("/", 5)[3:5]))

    def _crowded(self, lane: str) -> None:
        """One device sends more than is worked off."""
        device = lane.removeprefix("device/")[:64]
        reason = f"device {device!r} sends more than can be looked at; its surplus is passed over from here on"
        self.inbox.put(Said("dropped", {"reason": reason, "count": 1}))
