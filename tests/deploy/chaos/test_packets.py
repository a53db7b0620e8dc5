"""Packets are cut out of a stream wherever it is torn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.chaos.packets import Framer, Publish, repeated


def publish(topic: str, payload: bytes, *, qos: int = 1, identifier: int = 7, retain: bool = False) -> bytes:
    """A PUBLISH packet of MQTT 3.1.1."""
    body = len(topic).to_bytes(2) + topic.encode() + (identifier.to_bytes(2) if qos else b"") + payload
    length, left = b"", len(body)
    while True:
        left, low = divmod(left, 128)
        length += bytes([low | (128 if left else 0)])
        if not left:
            return bytes([0x30 | qos << 1 | retain]) + length + body


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=6), st.lists(st.integers(1, 50), max_size=30))
def test_a_torn_stream_gives_the_same_packets(payloads: list[bytes], cuts: list[int]) -> None:
    """However the bytes are cut, every packet comes out whole, once and in order."""
    packets = [publish("a/b", payload) for payload in payloads]
    stream, framer, found = b"".join(packets), Framer(), []
    for size in [*cuts, len(stream)]:
        found += list(framer.feed(stream[:size]))
        stream = stream[size:]
    assert found == packets


def test_bytes_that_are_no_mqtt_pass_through() -> None:
    """A length that never ends is no MQTT: what came and what comes is passed on as it is."""
    framer = Framer()
    noise = b"\x30\xff\xff\xff\xff\xff and more"
    assert b"".join([*framer.feed(noise), *framer.feed(b"rest")]) == noise + b"rest"


def test_a_publish_is_read_and_repeated() -> None:
    """Topic, QoS, identifier and the retain flag; the second time has DUP and nothing else changed."""
    packet = publish("fl/v1/x/round", b"{}", identifier=515, retain=True)
    assert Publish.of(packet) == Publish("fl/v1/x/round", 1, 515, True)
    again = repeated(packet)
    assert again[0] == packet[0] | 0x08
    assert again[1:] == packet[1:]
    assert repeated(publish("t", b"", qos=0)) == publish("t", b"", qos=0)
    read = Publish.of(packet)
    assert read is not None
    assert read.acknowledgement() == b"\x40\x02\x02\x03"
    assert Publish.of(b"\xc0\x00") is None
    assert Publish.of(b"\x32\x03\x00\x09t") is None
