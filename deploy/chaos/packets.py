"""MQTT packets cut out of a stream of bytes, as far as a line has to know them. No I/O.

The fixed header and the beginning of PUBLISH are the same in MQTT 3.1.1 and 5 (MQTT 5.0, sections 2.1 and 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_PUBLISH, _PUBACK = 0x30, 0x40
_DUP = 0x08


class Framer:
    """Puts packets together from pieces of a stream; bytes that are no MQTT pass through as they come."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._opaque = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece in; yield the packets that are now whole, in order."""
        if self._opaque:
            yield data
            return
        self._held += data
        while (end := self._end()) is not None:
            packet = bytes(self._held[:end])
            del self._held[:end]
            yield packet
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        if self._opaque:
            yield bytes(self._held)
            self._held.clear()

    def _end(self) -> int | None:
        """Return where the first packet ends; None if it is not whole yet."""
        length = 0
        for position in range(1, 5):
            if position >= len(self._held):
                return None
            byte = self._held[position]
            length |= (byte & 0x7F) << 7 * (position - 1)
            if not byte & 0x80:
                end = position + 1 + length
                return end if len(self._held) >= end else None
        self._opaque = True
        return None


@dataclass(frozen=True)
class Publish:
    """What a line sees of a PUBLISH packet.

    Attributes:
        topic: where to; bytes that are no UTF-8 are replaced.
        qos: 0 to 2.
        identifier: the packet's identifier; 0 at QoS 0.
        retain: whether the flag is set.
    """

    topic: str
    qos: int
    identifier: int
    retain: bool

    @classmethod
    def of(cls, packet: bytes) -> Publish | None:
        """Read a packet; None if it is of another kind, or broken."""
        if packet[0] & 0xF0 != _PUBLISH:
            return None
        start = next(position for position in range(1, len(packet)) if not packet[position] & 0x80) + 1
        body = memoryview(packet)[start:]
        topic_end = 2 + int.from_bytes(body[:2])
        qos = packet[0] >> 1 & 3
        if len(body) < topic_end + (2 if qos else 0):
            return None
        identifier = int.from_bytes(body[topic_end : topic_end + 2]) if qos else 0
        topic = bytes(body[2:topic_end]).decode(errors="replace")
        return cls(topic, qos, identifier, bool(packet[0] & 1))

    def acknowledgement(self) -> bytes:
        """Return the PUBACK that its receiver would answer with."""
        return bytes([_PUBACK, 2]) + self.identifier.to_bytes(2)


def repeated(packet: bytes) -> bytes:
    """Return a PUBLISH as it is sent a second time: at QoS 1 with the DUP flag, the identifier unchanged."""
    first = packet[0] | _DUP if packet[0] & 0x06 else packet[0]
    return bytes([first]) + packet[1:]
