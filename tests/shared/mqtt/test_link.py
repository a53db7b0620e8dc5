"""The link's life: it connects, comes back whatever happens, and stops."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable

import pytest

from deploy.brokers import RunningBroker
from shared.errors import BrokerError
from shared.mqtt import BrokerAddress, OutboxBounds, Will
from shared.mqtt.outbox import Outbox, Outgoing
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.shared.mqtt.scripted_broker import (
    ACCEPT_3,
    ACCEPT_5,
    CONNECT,
    PINGREQ,
    Client,
    scripted,
)

MakeEar = Callable[..., Ear]


@pytest.mark.parametrize("manner", ["words", "silence"])
def test_it_falls_back_to_version_3(manner: str, ear: MakeEar) -> None:
    """A broker that refuses MQTT 5, in words or by closing, gets 3.1.1 at once; only words are remembered."""
    versions = []

    def script(client: Client, number: int) -> None:
        versions.append(version := client.version())
        if version == 5:
            if manner == "words":
                client.send(bytes([0x20, 2, 0, 1]))
            return
        client.send(ACCEPT_3)
        if number > 1:
            client.drain()

    with scripted(script) as broker:
        one = ear(broker.address)
        one.link.start()
        for _ in range(2):
            one.connects.get(timeout=DEADLINE_S)
        assert one.link.protocol == "3.1.1"
    assert versions == ([5, 4, 4] if manner == "words" else [5, 4, 5, 4])


def test_a_half_open_connection_is_noticed(ear: MakeEar) -> None:
    """A broker that stops answering without closing is left within about two keepalives."""
    pings = threading.Event()

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(ACCEPT_5)
        while True:
            if client.read()[0] == PINGREQ:
                pings.set()

    with scripted(script) as broker:
        one = ear(broker.address, keepalive_s=1)
        one.link.start()
        assert "went silent" in one.losses.get(timeout=DEADLINE_S)
        assert pings.wait(DEADLINE_S)


def test_nonsense_ends_the_connection_not_the_link(ear: MakeEar) -> None:
    """A packet that cannot be taken apart costs the connection; the link connects again."""

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(ACCEPT_5)
        if number == 0:
            client.send(bytes([0x32, 3, 0xFF, 0xFF, 0]))
        client.drain()

    with scripted(script) as broker:
        one = ear(broker.address)
        one.link.start()
        one.losses.get(timeout=DEADLINE_S)
        one.connects.get(timeout=DEADLINE_S)
        one.connects.get(timeout=DEADLINE_S)
        assert one.link.connected


def test_each_attempt_asks_for_its_will(ear: MakeEar) -> None:
    """A will given as a function is made anew for each connection, so that it can carry its number."""
    wills = []

    def script(client: Client, number: int) -> None:
        kind, body = client.read()
        assert kind == CONNECT
        wills.append(body[-2:])
        client.send(ACCEPT_5)
        if number > 0:
            client.drain()

    numbers = iter(range(10, 99))
    with scripted(script) as broker:
        one = ear(broker.address, will=lambda: Will("state", b"%d" % next(numbers)))
        one.link.start()
        one.connects.get(timeout=DEADLINE_S)
        one.connects.get(timeout=DEADLINE_S)
    assert wills[:2] == [b"10", b"11"]


def test_stop_wakes_those_who_wait(unused_port: int, ear: MakeEar) -> None:
    """``stop`` ends a ``wait_connected`` and a ``publish`` that wait, and the network thread."""
    one = ear(BrokerAddress("127.0.0.1", unused_port), bounds=OutboxBounds(messages=1))
    one.link.publish("t", b"")
    one.link.start()
    errors: list[BrokerError] = []

    def wait(call: Callable[[], None]) -> None:
        try:
            call()
        except BrokerError as error:
            errors.append(error)

    calls: list[Callable[[], None]] = [
        lambda: one.link.wait_connected(DEADLINE_S),
        lambda: one.link.publish("t", b""),
    ]
    threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    one.link.stop()
    for thread in threads:
        thread.join(DEADLINE_S / 2)
    assert len(errors) == 2
    # An attempt to connect that was under way ends by itself.
    for thread in threading.enumerate():
        if thread.name.startswith("mqtt-"):
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def test_a_fault_in_the_link_costs_one_connection(
    embedded_broker: RunningBroker, fleet_id: str, ear: MakeEar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of ours on the network thread is logged, and the link connects again."""
    one = ear(embedded_broker.address).up(fleet_id)
    take = Outbox.take
    faults = iter([True])

    def faulty(self: Outbox, *, receive_maximum: int = 65535) -> Outgoing | None:
        if len(self) and next(faults, False):
            raise RuntimeError("a fault")
        return take(self, receive_maximum=receive_maximum)

    monkeypatch.setattr(Outbox, "take", faulty)
    one.link.publish(fleet_id, b"1")
    assert "a fault" in one.losses.get(timeout=DEADLINE_S)
    assert one.next().payload == b"1"


def test_a_process_with_many_open_files_can_connect(
    embedded_broker: RunningBroker, fleet_id: str, ear: MakeEar
) -> None:
    """A simulated fleet has more than 1,024 files open, past which ``select`` fails; the link goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    files: list[int] = []
    try:
        while not files or files[-1] < 1100:
            files.append(os.open(os.devnull, os.O_RDONLY))
        one = ear(embedded_broker.address).up(fleet_id)
        one.link.publish(fleet_id, b"1")
        assert one.next().payload == b"1"
        one.link.stop()
    finally:
        for descriptor in files:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_that_is_given_up_is_replaced(mosquitto: RunningBroker, ear: MakeEar) -> None:
    """Whoever knows better than the keepalive asks for another connection, and says why."""
    one = ear(mosquitto.address).up()
    one.connects.get(timeout=DEADLINE_S)
    one.link.reconnect("nobody answers")
    assert one.losses.get(timeout=DEADLINE_S) == "nobody answers"
    one.connects.get(timeout=DEADLINE_S)
