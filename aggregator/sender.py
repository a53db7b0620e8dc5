"""The one thread that publishes, so that neither the network thread nor the loop ever waits for a slow broker."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from aggregator.broadcast import Broadcast
from shared.errors import BrokerError, InkfleetError
from shared.messages import BlobRef, Want
from shared.mqtt import MqttLink
from shared.signing import NoSeal, Seal
from shared.topics import Topics

_log = logging.getLogger(__name__)

# While the broker is away, the sender looks again after so many seconds.
_AWAY_S = 0.1
# A broadcast chunk that nobody was sent for so long is asked for again anyway.
_CHUNK_EXPIRY_S = 60.0
# Past so many that wait, replies are dropped: whoever lacks one repeats what it said.
_MOST_CONTROLS = 10_000


@dataclass(frozen=True)
class _Control:
    topic: str
    payload: bytes
    retain: bool


class Sender:
    """Publishes control messages first, broadcast chunks after them, both with the link's back pressure.

    While the broker is away nothing is published: retained messages are published anew at each connect, and what
    devices miss, they ask for again.

    Args:
        link: to publish on.
        topics: of the fleet.
        broadcast: which chunks are due; this class guards it by a lock.
        clock: seconds, as `Broadcast` has them.
        on_failure: told of an error that trying again will not mend; called on the sender's thread.
        seal: signs control messages.
    """

    def __init__(
        self,
        link: MqttLink,
        *,
        topics: Topics,
        broadcast: Broadcast,
        clock: Callable[[], float],
        on_failure: Callable[[InkfleetError], None],
        seal: Seal | None = None,
    ) -> None:
        self._link = link
        self._seal = seal or NoSeal()
        self._topics = topics
        self._broadcast = broadcast
        self._clock = clock
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._controls: deque[_Control] = deque()
        self._stopping = False
        self._busy = False
        self._delivered_bytes = 0
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self, *, timeout_s: float) -> None:
        """Publish the control messages that wait, if the broker is there, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def control(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish a control message; does not wait. A retained one is never crowded out by others."""
        signed = self._seal.sign(topic, payload)
        with self._changed:
            if len(self._controls) >= _MOST_CONTROLS and not retain:
                return
            self._controls.append(_Control(topic, signed, retain))
            self._changed.notify()

    def offer(self, blobs: Iterable[tuple[BlobRef, bytes]], *, audience: Collection[str]) -> None:
        """Offer these blobs and no others, see `Broadcast.offer`."""
        with self._changed:
            self._broadcast.offer(blobs, audience=audience)

    def want(self, device: str, want: Want) -> None:
        """Take in what a device lacks; does not wait."""
        with self._changed:
            self._broadcast.want(device, want, now=self._clock())
            self._changed.notify()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be published."""
        with self._changed:
            return not self._busy and not self._controls and self._broadcast.next_due_at is None

    @property
    def delivered_bytes(self) -> int:
        """Payload bytes of chunks so far, each counted for every device that asked for it."""
        with self._changed:
            return self._delivered_bytes

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                expiry_s = None if message.retain else _CHUNK_EXPIRY_S
                self._link.publish(message.topic, message.payload, retain=message.retain, expiry_s=expiry_s)
            except BrokerError as error:
                _log.warning("%s", error)
            except InkfleetError as error:
                self._on_failure(error)
            with self._changed:
                self._busy = False

    def _next(self) -> _Control | None:
        """Wait for the next message; None when there will be none."""
        with self._changed:
            while True:
                if self._link.connected:
                    if self._controls:
                        self._busy = True
                        return self._controls.popleft()
                    if self._stopping:
                        return None
                    now = self._clock()
                    chunk = self._broadcast.next_chunk(now=now)
                    if chunk is not None:
                        self._busy = True
                        self._delivered_bytes += len(chunk.payload) * chunk.askers
                        return _Control(self._topics.blob_chunk(chunk.sha256, chunk.index), chunk.payload, False)
                    due = self._broadcast.next_due_at
                    self._changed.wait(None if due is None else max(0.0, due - now))
                elif self._stopping:
                    return None
                else:
                    # Replies to devices that are gone are worth nothing later: they repeat what they sent.
                    self._controls.clear()
                    self._changed.wait(_AWAY_S)
