"""What is published through a link arrives: within the broker's limits, in order, whatever is lost on the way."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

import pytest

from deploy.brokers import RunningBroker
from deploy.chaos.line import Line
from deploy.chaos.proxy import Proxy
from shared.errors import BrokerError, ProtocolError
from shared.mqtt import BrokerAddress, Message, OutboxBounds
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.shared.mqtt.scripted_broker import (
    ACCEPT_5,
    PUBLISH,
    Client,
    scripted,
)

MakeEar = Callable[..., Ear]

# CONNACK with Receive Maximum 2 and Maximum Packet Size 1000.
LIMITED = bytes([0x20, 11, 0, 0, 8, 0x21, 0, 2, 0x27, 0, 0, 0x03, 0xE8])


def test_what_the_broker_cannot_take_is_refused_before_it_is_sent(ear: MakeEar) -> None:
    """The advertised Maximum Packet Size binds ``publish``: header and topic count."""
    bodies = []

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(LIMITED)
        while True:
            kind, body = client.read()
            assert kind == PUBLISH
            bodies.append(body)
            client.send(bytes([0x40, 2, *body[3:5]]))

    with scripted(script) as broker:
        one = ear(broker.address)
        one.link.start()
        one.link.wait_connected(DEADLINE_S)
        assert one.link.max_packet_bytes == 1000
        with pytest.raises(ProtocolError, match=r"1,001 bytes, but broker .* takes 1,000; send smaller chunks"):
            one.link.publish("t", bytes(985))
        one.link.publish("t", bytes(984), expiry_s=60)
        assert one.link.flush(DEADLINE_S)
        assert [len(body) for body in bodies] == [995]
        assert one.link.connected


def test_what_was_queued_too_large_is_dropped_with_a_word(ear: MakeEar, caplog: pytest.LogCaptureFixture) -> None:
    """A message queued before the limit was known does not cost the connection."""

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(LIMITED)
        client.drain()

    with scripted(script) as broker, caplog.at_level(logging.ERROR):
        one = ear(broker.address)
        one.link.publish("large", bytes(2000))
        one.link.start()
        one.link.wait_connected(DEADLINE_S)
        assert one.link.flush(DEADLINE_S)
    assert "too large" in caplog.text


def test_the_receive_maximum_is_respected_and_publish_presses_back(ear: MakeEar) -> None:
    """No more than two unacknowledged messages at a broker that takes two; a full outbox makes ``publish`` wait."""
    arrived: list[int] = []
    two = threading.Event()
    go = threading.Event()

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(LIMITED)
        while True:
            kind, body = client.read()
            if kind == PUBLISH:
                arrived.append(body[4])
                if len(arrived) == 2:
                    two.set()
                    go.wait(DEADLINE_S)
                    for identifier in arrived:
                        client.send(bytes([0x40, 2, 0, identifier]))
                elif len(arrived) > 2:
                    client.send(bytes([0x40, 2, 0, body[4]]))

    with scripted(script) as broker:
        one = ear(broker.address, bounds=OutboxBounds(messages=4), publish_deadline_s=0.1)
        one.link.start()
        one.link.wait_connected(DEADLINE_S)
        for number in range(4):
            one.link.publish("t", bytes([number]))
        assert two.wait(DEADLINE_S)
        with pytest.raises(BrokerError, match=r"takes no messages for 0\.1 s"):
            one.link.publish("t", b"one too many")
        assert len(arrived) == 2
        go.set()
        assert one.link.flush(DEADLINE_S)
        assert len(arrived) == 4


def test_what_was_not_acknowledged_is_sent_again_in_order(ear: MakeEar) -> None:
    """Messages that a broken connection swallowed come first on the next, in the order of publishing."""
    payloads: list[bytes] = []
    three = threading.Event()

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(ACCEPT_5)
        while True:
            kind, body = client.read()
            if kind != PUBLISH:
                continue
            payloads.append(body[-1:])
            if number == 0 and len(payloads) == 3:
                three.set()
                return
            if number > 0:
                client.send(bytes([0x40, 2, *body[3:5]]))

    with scripted(script) as broker:
        one = ear(broker.address)
        for number in range(3):
            one.link.publish("t", b"%d" % number)
        one.link.start()
        assert three.wait(DEADLINE_S)
        one.link.publish("t", b"3")
        assert one.link.flush(DEADLINE_S)
    assert payloads == [b"0", b"1", b"2", b"0", b"1", b"2", b"3"]


def test_a_callback_may_publish_and_may_fail(embedded_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """The birth is published from ``on_connect``; an exception out of a callback does not end the link."""
    heard: queue.Queue[Message] = queue.Queue()

    def answer(message: Message) -> None:
        heard.put(message)
        if heard.qsize() == 1:
            one.link.publish(f"{fleet_id}/answer", b"2")
            raise RuntimeError("a mistake of the owner's")

    one = ear(embedded_broker.address, on_message=answer).up(f"{fleet_id}/#")
    one.link.publish(f"{fleet_id}/question", b"1")
    assert heard.get(timeout=DEADLINE_S).payload == b"1"
    assert heard.get(timeout=DEADLINE_S).payload == b"2"
    assert one.link.connected


def test_qos_0_is_dropped_while_away_and_wildcards_are_refused(unused_port: int, ear: MakeEar) -> None:
    """Nothing of QoS 0 waits for a connection; a wildcard is no topic to publish on."""
    one = ear(BrokerAddress("127.0.0.1", unused_port))
    one.link.publish("t", b"", qos=0)
    assert len(one.link._traffic.outbox) == 0
    for topic in ("t/#", "+", "", "nul\0", "x" * 65536):
        with pytest.raises(ProtocolError, match="not a topic to publish on: no wildcards"):
            one.link.publish(topic, b"")
    for pattern in ("", "a/#/b", "a+", "a/b#", "x" * 65536):
        with pytest.raises(ProtocolError, match="not a topic filter"):
            one.link.subscribe(pattern)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_session_outlives_its_connection(
    protocol: str, mosquitto: RunningBroker, fleet_id: str, ear: MakeEar
) -> None:
    """With ``session_expiry_s``, the broker keeps subscriptions and messages while the client is away."""
    settings = {"client_id": fleet_id, "protocol": protocol, "session_expiry_s": 60}
    ear(mosquitto.address, **settings).up(f"{fleet_id}/a").link.stop()
    sender = ear(mosquitto.address).up()
    sender.link.publish(f"{fleet_id}/a", b"while away")
    assert sender.link.flush(DEADLINE_S)
    back = ear(mosquitto.address, **settings)
    back.link.start()
    assert back.next().payload == b"while away"
    back.link.stop()
    ear(mosquitto.address, client_id=fleet_id).up()


def test_a_message_lost_on_a_living_connection_is_sent_on_another(mosquitto: RunningBroker, ear: MakeEar) -> None:
    """MQTT repeats nothing while a connection holds: the link leaves one on which a message was passed over."""
    with Proxy(mosquitto.address) as proxy:
        one = ear(proxy.address).up("late/#")
        proxy.set(Line(drop=1.0, touches=lambda topic: topic == "late/1"))
        one.link.publish("late/1", b"1")
        one.link.publish("late/2", b"2")
        assert one.next().payload == b"2"
        proxy.set(Line())
        assert "does not acknowledge" in one.losses.get(timeout=DEADLINE_S)
        assert one.next().payload == b"1"
