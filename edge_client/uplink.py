"""What the device publishes about rounds, and what it listens to; chunks go out one by one between other work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from shared.crash_points import reach
from shared.errors import BrokerError
from shared.messages import Range, UpdateManifest, Want
from shared.mqtt import MqttLink
from shared.signing import NoSeal, Seal
from shared.topics import Topics
from shared.transfer import DEFAULT_CHUNK_BYTES, chunk_bytes_for, chunk_of, indices_of


class Uplink:
    """The device's side of the topics. Not locked: the device's own thread calls it.

    Args:
        link: the MQTT link.
        topics: of the fleet.
        device: the device's name.
        seal: signs control messages.
    """

    def __init__(self, link: MqttLink, *, topics: Topics, device: str, seal: Seal | None = None) -> None:
        self._link = link
        self._topics = topics
        self._device = device
        self._seal = seal or NoSeal()
        self._update: UpdateManifest | None = None
        self._blob = b""
        self._expiry_s = 0.0
        self._waiting: deque[int] = deque()

    @property
    def chunk_bytes(self) -> int:
        """The size of an update's chunks at this broker.

        Raises:
            ProtocolError: the broker's packets are too small for any.
        """
        return chunk_bytes_for(DEFAULT_CHUNK_BYTES, self._link.max_packet_bytes)

    @property
    def sending(self) -> bool:
        """Whether chunks are on their way: some not published, or not acknowledged by the broker."""
        return self._update is not None

    @property
    def has_chunks(self) -> bool:
        """Whether `step` has a chunk to publish."""
        return bool(self._waiting) and self._link.connected

    def distrust(self, reason: str) -> None:
        """Have another connection made: this one looks alive, and nothing comes through it.

        Messages may be lost on their way to us in a manner that only a new connection mends, for a broker sends no more
        than so many that we have not acknowledged.
        """
        self._link.reconnect(reason)

    def listen(self, sha256: str) -> None:
        """Hear the chunks of a blob."""
        self._link.subscribe(self._topics.blob_chunks(sha256))

    def stop_listening(self, sha256: str) -> None:
        """Hear them no more."""
        self._link.unsubscribe(self._topics.blob_chunks(sha256))

    def ask(self, want: Want) -> None:
        """Publish a want. A link that has no room loses it: it is repeated anyway."""
        self._say(self._topics.want(self._device), want.encode(), expiry_s=60.0)

    def offer(self, update: UpdateManifest, *, expiry_s: float) -> None:
        """Publish an update's manifest. A link that has no room loses it: it is repeated anyway."""
        self._say(self._topics.update(self._device), update.encode(), expiry_s=expiry_s)

    def send(self, update: UpdateManifest, blob: bytes, ranges: Iterable[Range], *, expiry_s: float) -> None:
        """Begin to send chunks of an update; `step` goes on with it."""
        self._update, self._blob, self._expiry_s = update, blob, expiry_s
        self._waiting = deque(indices_of(ranges, chunks=update.blob.chunks))

    def stop_sending(self) -> None:
        """Send no more of them. What the link has is sent nevertheless, and passed over by the aggregator."""
        self._update, self._blob = None, b""
        self._waiting.clear()

    def step(self) -> bool:
        """Publish one more chunk; return True when the broker has them all.

        Raises:
            ProtocolError: the broker takes no packets of this size; sending has ended.
        """
        update = self._update
        if update is None:
            return False
        if self._waiting:
            index = self._waiting[0]
            topic = self._topics.update_chunk(self._device, update.blob.sha256, index)
            try:
                sent = self._publish(topic, chunk_of(self._blob, update.blob, index), expiry_s=self._expiry_s)
            except Exception:
                self.stop_sending()
                raise
            if sent:
                self._waiting.popleft()
                reach("uploading")
            return False
        if self._link.connected and self._link.flush(0):
            self.stop_sending()
            return True
        return False

    def _say(self, topic: str, payload: bytes, *, expiry_s: float) -> None:
        self._publish(topic, self._seal.sign(topic, payload), expiry_s=expiry_s)

    def _publish(self, topic: str, payload: bytes, *, expiry_s: float) -> bool:
        try:
            self._link.publish(topic, payload, expiry_s=expiry_s)
        except BrokerError:
            return False
        return True


def in_vain(repeats: int) -> bool:
    """Whether so many repeats without an answer are a reason to connect anew: at the 4th, the 8th, the 16th, …"""
    return repeats >= 4 and repeats & (repeats - 1) == 0
