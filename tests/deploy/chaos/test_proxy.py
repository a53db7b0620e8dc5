"""The bad line, between real links and a real Mosquitto."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.brokers import RunningBroker
from deploy.chaos.line import BOTH, Line
from deploy.chaos.proxy import Proxy
from shared.mqtt import BrokerAddress
from tests.broker_fixtures import DEADLINE_S, Ear

MakeEar = Callable[..., Ear]


@pytest.fixture
def proxy(mosquitto: RunningBroker) -> Iterator[Proxy]:
    """A line to Mosquitto with nothing wrong yet."""
    with Proxy(mosquitto.address, rng=np.random.default_rng(5)) as line:
        yield line


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_good_line_changes_nothing(protocol: str, proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """Messages go through whole and in order, in either version, and their bytes are counted in both directions."""
    one = ear(proxy.address, protocol=protocol).up(f"{fleet_id}/#")
    payloads = [bytes([number]) * size for number, size in enumerate((0, 1, 200, 70_000, 300_000))]
    for payload in payloads:
        one.link.publish(f"{fleet_id}/x", payload)
    assert [one.next().payload for _ in payloads] == payloads
    sent = sum(map(len, payloads))
    for direction in BOTH:
        assert sent < proxy.counts[direction].passed_bytes < sent + 2000


def test_a_cut_is_felt_at_once_and_refused_while_refusing(proxy: Proxy, ear: MakeEar) -> None:
    """A reset ends the connection; while the line refuses there is none; afterwards there is, on the same port."""
    one = ear(proxy.address).up()
    proxy.set(Line(refusing=True))
    proxy.cut()
    one.losses.get(timeout=DEADLINE_S)
    with pytest.raises(ConnectionRefusedError), socket.create_connection((proxy.address.host, proxy.address.port)):
        pass
    while not one.connects.empty():
        one.connects.get_nowait()
    proxy.set(Line())
    one.connects.get(timeout=DEADLINE_S)


@pytest.mark.parametrize("reset", [True, False])
def test_a_cut_is_a_reset_or_an_end(reset: bool, proxy: Proxy) -> None:
    """RST shows as an error to whoever reads, FIN as the end of the stream."""
    with socket.create_connection((proxy.address.host, proxy.address.port)) as sock:
        sock.settimeout(DEADLINE_S)
        sock.sendall(bytes([0x10, 13, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 1]) + b"t")
        assert sock.recv(4) == bytes([0x20, 2, 0, 0])
        proxy.cut(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        else:
            assert sock.recv(1) == b""


def test_a_stalled_line_stays_open_and_goes_on(proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """Half-open: nothing arrives, nobody is told; what was under way arrives when it ends."""
    one = ear(proxy.address).up(f"{fleet_id}/#")
    proxy.set(Line(stalled=frozenset(("up",))))
    one.link.publish(f"{fleet_id}/x", b"late")
    with pytest.raises(queue.Empty):
        one.messages.get(timeout=0.3)
    assert one.link.connected
    proxy.set(Line())
    assert one.next().payload == b"late"


def test_a_slow_line_carries_what_it_says(proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """60 kB over 800 kbit/s, up and down, take at least the six tenths of a second that they must."""
    one = ear(proxy.address).up(f"{fleet_id}/#")
    proxy.set(Line(kbit_s=800))
    began = time.monotonic()
    one.link.publish(f"{fleet_id}/x", bytes(60_000))
    one.next()
    assert time.monotonic() - began >= 0.6


def test_chunks_are_lost_repeated_and_reordered(proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """Lost ones are acknowledged, so that the sender goes on; every fate is counted; other topics are left alone."""
    one = ear(proxy.address).up(f"{fleet_id}/#")
    proxy.set(Line(lose=0.2, repeat=0.2, reorder=0.2, touches=lambda topic: "/blob/" in topic))
    for number in range(100):
        one.link.publish(f"{fleet_id}/blob/{number}", bytes([number]))
    assert one.link.flush(DEADLINE_S)
    proxy.set(Line())
    one.link.publish(f"{fleet_id}/end", b"end")
    heard = []
    while (message := one.next()).payload != b"end":
        heard.append(message.payload[0])
    up, down = proxy.counts["up"], proxy.counts["down"]
    assert min(up.lost, up.repeated, up.reordered, down.lost, down.repeated, down.reordered) > 0
    assert 40 < len(set(heard)) < 100
    assert heard != sorted(heard)
    assert up.dropped == down.dropped == 0


def test_what_is_dropped_is_repeated_at_the_next_connection(proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """A PUBLISH that vanished without a word is the sender's to repeat, once it has another connection."""
    one = ear(proxy.address).up(f"{fleet_id}/#")
    proxy.set(Line(drop=1.0, touches=lambda topic: topic.endswith("/x")))
    one.link.publish(f"{fleet_id}/x", b"again")
    assert not one.link.flush(0.3)
    proxy.set(Line())
    proxy.cut()
    assert one.link.flush(DEADLINE_S)
    assert proxy.counts["up"].dropped == 1


def test_connections_are_cut_every_so_often(proxy: Proxy, ear: MakeEar) -> None:
    """Every connection ends after its time, the next one likewise."""
    proxy.set(Line(cut_every_s=0.1))
    one = ear(proxy.address)
    one.link.start()
    for _ in range(3):
        one.losses.get(timeout=DEADLINE_S)
    proxy.set(Line())
    one.link.wait_connected(DEADLINE_S)


def test_it_leaves_no_thread_and_no_descriptor(mosquitto: RunningBroker) -> None:
    """What it opened is closed when it ends, connections under way included."""
    threads, before = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    with Proxy(mosquitto.address) as line:
        socks = [socket.create_connection((line.address.host, line.address.port)) for _ in range(3)]
        line.set(Line(stalled=BOTH))
    for sock in socks:
        sock.close()
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_frozen_connection_stays_open_and_a_new_one_is_well(proxy: Proxy, ear: MakeEar, fleet_id: str) -> None:
    """What a router does that forgets a connection: nothing arrives on it ever again; others are not concerned."""
    one = ear(proxy.address).up(f"{fleet_id}/#")
    proxy.freeze()
    one.link.publish(f"{fleet_id}/x", b"nowhere")
    other = ear(proxy.address).up(f"{fleet_id}/#")
    other.link.publish(f"{fleet_id}/x", b"here")
    assert other.next().payload == b"here"
    assert one.link.connected
    assert one.messages.empty()


def test_a_frozen_connection_is_gone_when_both_ends_have_left() -> None:
    """Neither hears that the other left; then nothing of it is kept, though what they sent was never read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Proxy(BrokerAddress("127.0.0.1", port)) as proxy:
            near = socket.create_connection((proxy.address.host, proxy.address.port))
            far, _ = server.accept()
            with near, far:
                near.sendall(b"\x30\x03\x00\x01a")
                assert far.recv(16) == b"\x30\x03\x00\x01a"
                proxy.freeze()
                near.sendall(b"\x30\x03\x00\x01b")
                near.close()
                far.settimeout(0.7)
                with pytest.raises(TimeoutError):
                    far.recv(16)
                assert proxy.open_connections == 1
                far.close()
                deadline = time.monotonic() + DEADLINE_S
                while proxy.open_connections and time.monotonic() < deadline:
                    time.sleep(0.02)
            assert proxy.open_connections == 0
