"""What the protocol needs of a broker holds for Mosquitto and for the embedded one."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.brokers import RunningBroker, start_broker
from deploy.brokers.embedded import installed
from deploy.brokers.mosquitto import executable
from shared.mqtt import Backoff, Message, Will
from tests.broker_fixtures import DEADLINE_S, Ear

CHUNK_BYTES = 96 * 1024
MakeEar = Callable[..., Ear]


def test_messages_arrive_once_in_order_and_whole(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """A blob's chunks of 96 KiB at QoS 1 arrive at every subscriber, in order, byte for byte."""
    hearers = [ear(any_broker.address).up(f"{fleet_id}/blob/+") for _ in range(3)]
    sender = ear(any_broker.address).up()
    chunks = [bytes([index]) * CHUNK_BYTES for index in range(30)]
    for index, chunk in enumerate(chunks):
        sender.link.publish(f"{fleet_id}/blob/{index}", chunk, expiry_s=60)
    for hearer in hearers:
        for index, chunk in enumerate(chunks):
            message = hearer.next()
            assert (message.topic, message.payload) == (f"{fleet_id}/blob/{index}", chunk)
            assert not message.retain
        assert hearer.messages.empty()
        assert hearer.link.bytes_received == 30 * CHUNK_BYTES
    assert sender.link.bytes_sent == 30 * CHUNK_BYTES


def test_many_upload_to_one(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """Ten devices upload at once, and nothing is lost."""
    server = ear(any_broker.address).up(f"{fleet_id}/device/+/chunk/+")
    devices = [ear(any_broker.address).up() for _ in range(10)]

    def upload(number: int) -> None:
        for index in range(15):
            devices[number].link.publish(f"{fleet_id}/device/{number}/chunk/{index}", bytes(CHUNK_BYTES))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    heard = {server.next().topic for _ in range(150)}
    for thread in threads:
        thread.join()
    assert len(heard) == 150


def test_retained_state_reaches_who_comes_later(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """A late subscriber gets the last retained message, marked as retained; an empty one removes it."""
    sender = ear(any_broker.address).up()
    for text in (b"one", b"two"):
        sender.link.publish(f"{fleet_id}/round", text, retain=True)
    assert sender.link.flush(DEADLINE_S)
    message = ear(any_broker.address).up(f"{fleet_id}/#").next()
    assert (message.payload, message.retain) == (b"two", True)
    sender.link.publish(f"{fleet_id}/round", b"", retain=True)
    assert sender.link.flush(DEADLINE_S)
    late = ear(any_broker.address).up(f"{fleet_id}/#")
    sender.link.publish(f"{fleet_id}/after", b"fresh")
    assert late.next().topic == f"{fleet_id}/after"


def test_retained_states_of_a_large_fleet_at_qos_0(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """A subscription at QoS 0 hands out the retained states of 300 devices."""
    sender = ear(any_broker.address).up()
    topics = {f"{fleet_id}/device/{number}/state" for number in range(300)}
    for topic in topics:
        sender.link.publish(topic, b"online", retain=True)
    assert sender.link.flush(DEADLINE_S)
    late = ear(any_broker.address)
    late.link.subscribe(f"{fleet_id}/device/+/state", qos=0)
    late.up()
    assert {late.next().topic for _ in topics} == topics


VANISHING = """
import sys
from shared.mqtt import BrokerAddress, MqttLink, Will
link = MqttLink(BrokerAddress.parse(sys.argv[1]), client_id=sys.argv[2] + "-gone", on_message=print,
                on_connect=lambda: None, will=Will(sys.argv[2] + "/device/gone/state", b"offline"))
link.start()
link.wait_connected(20)
print("connected", flush=True)
sys.stdin.read()
"""


def test_the_will_of_a_killed_client_fires(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """After ``kill -9`` of a client, its will is published and retained."""
    topic = f"{fleet_id}/device/gone/state"
    watcher = ear(any_broker.address).up(topic)
    command = [sys.executable, "-c", VANISHING, str(any_broker.address), fleet_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"connected\n"
        process.send_signal(signal.SIGKILL)
    assert watcher.next().payload == b"offline"
    late = ear(any_broker.address).up(topic).next()
    assert (late.payload, late.retain) == (b"offline", True)


def test_a_goodbye_keeps_the_will_quiet(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """A link that stops publishes its own last state, and its will does not fire."""
    watcher = ear(any_broker.address).up(f"{fleet_id}/#")
    leaving = ear(any_broker.address, will=Will(f"{fleet_id}/state", b"will")).up()
    leaving.link.publish(f"{fleet_id}/state", b"goodbye", retain=True)
    assert leaving.link.flush(DEADLINE_S)
    leaving.link.stop()
    assert watcher.next().payload == b"goodbye"
    # Whatever the broker still had to say about the one that left comes before this.
    ear(any_broker.address).up().link.publish(f"{fleet_id}/end", b"")
    assert watcher.next().topic == f"{fleet_id}/end"


def test_the_version_is_agreed(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """``auto`` speaks MQTT 5 with Mosquitto and falls back to 3.1.1 with the embedded broker."""
    one = ear(any_broker.address).up()
    assert one.link.protocol == ("5" if any_broker.kind == "mosquitto" else "3.1.1")


def test_another_client_with_the_same_id_is_reported(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """Two clients with one id throw each other out; after a few rounds each is told what it looks like."""
    first = ear(any_broker.address, client_id=fleet_id, backoff=Backoff(first_s=0.01, cap_s=0.02)).up()
    ear(any_broker.address, client_id=fleet_id, backoff=Backoff(first_s=0.01, cap_s=0.02)).up()
    # Mosquitto says it by itself from 2.1 on; otherwise it is told by the connections that do not last.
    while not re.search("another client (connected as|use)", said := first.losses.get(timeout=DEADLINE_S)):
        assert "lost" in said
    assert fleet_id in said


def test_fifty_clients(any_broker: RunningBroker, fleet_id: str, ear: MakeEar) -> None:
    """Fifty clients of one process hear a broadcast, and each answers."""
    server = ear(any_broker.address).up(f"{fleet_id}/device/+/want")
    devices = [ear(any_broker.address) for _ in range(50)]
    for one in devices:
        one.link.subscribe(f"{fleet_id}/round")
        one.link.start()
    for one in devices:
        one.link.wait_connected(DEADLINE_S)
        assert one.link.flush(DEADLINE_S)
    server.link.publish(f"{fleet_id}/round", b"1", retain=True)
    for number, one in enumerate(devices):
        assert one.next().payload == b"1"
        one.link.publish(f"{fleet_id}/device/{number}/want", b"")
    assert len({server.next().topic for _ in devices}) == 50


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_the_link_comes_back_with_its_subscriptions(kind: str, tmp_path: Path, unused_port: int, ear: MakeEar) -> None:
    """After the broker was away, the link connects again, hears its topics, and sends what waited meanwhile."""
    if (kind == "mosquitto" and executable() is None) or (kind == "embedded" and not installed()):
        pytest.skip(f"{kind} is not installed")
    with start_broker(kind, folder=tmp_path, port=unused_port) as broker:
        one = ear(broker.address).up("fleet/round")
        one.connects.get(timeout=DEADLINE_S)
    assert "lost" in (reason := one.losses.get(timeout=DEADLINE_S)) or "shutting down" in reason
    assert not one.link.connected
    one.link.publish("fleet/round", b"waited")
    with start_broker(kind, folder=tmp_path, port=unused_port):
        one.connects.get(timeout=DEADLINE_S)
        assert one.next().payload == b"waited"
        one.link.publish("fleet/round", b"again")
        assert one.next().payload == b"again"


def test_a_question_and_its_answer_take_no_delayed_acknowledgement(
    any_broker: RunningBroker, fleet_id: str, ear: MakeEar
) -> None:
    """The quickest of many round trips is far below the 40 ms that Nagle's algorithm or a delayed ACK costs each."""

    def answer(message: Message) -> None:
        server.link.publish(f"{fleet_id}/reply", message.payload)

    server = ear(any_broker.address, on_message=answer)
    server.up(f"{fleet_id}/want")
    device = ear(any_broker.address).up(f"{fleet_id}/reply")
    trips_s: list[float] = []
    while len(trips_s) < 20 or (min(trips_s) >= 0.02 and len(trips_s) < 1000):
        began = time.perf_counter()
        device.link.publish(f"{fleet_id}/want", b"chunk 3")
        device.next()
        trips_s.append(time.perf_counter() - began)
    assert min(trips_s) < 0.02
