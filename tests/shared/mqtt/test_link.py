"""The link against brokers that refuse, vanish, lie still or lay down limits."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.brokers import RunningBroker
from deploy.brokers.mosquitto import configure as configure_mosquitto
from deploy.chaos.line import Line
from deploy.chaos.proxy import Proxy
from shared.errors import BrokerError, ProtocolError
from shared.mqtt import Backoff, BrokerAddress, OutboxBounds, Will
from shared.mqtt.outbox import Outbox, Outgoing
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.shared.mqtt.scripted_broker import (
    ACCEPT_3,
    ACCEPT_5,
    CONNECT,
    PINGREQ,
    PUBLISH,
    Client,
    scripted,
)

MakeEar = Callable[..., Ear]


def _refuse(code_3: int, code_5: int) -> Callable[[Client, int], None]:
    def script(client: Client, number: int) -> None:
        if client.version() == 5:
            client.send(bytes([0x20, 3, 0, code_5, 0]))
        else:
            client.send(bytes([0x20, 2, 0, code_3]))

    return script


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((2, 0x85), "refuses the client identifier 'kitchen'"),
        ((4, 0x86), "refuses the user name or the password"),
        ((5, 0x87), "does not authorise this client"),
    ],
)
def test_a_refusal_is_said_in_words_and_at_once(
    protocol: str, codes: tuple[int, int], words: str, ear: MakeEar
) -> None:
    """Identifier, credentials, authorisation: one line each, without waiting for the deadline."""
    with scripted(_refuse(*codes)) as broker:
        one = ear(broker.address, client_id="kitchen", protocol=protocol)
        one.link.start()
        with pytest.raises(BrokerError, match=words):
            one.link.wait_connected(DEADLINE_S)
        assert not one.link.connected


def test_after_a_refusal_it_tries_again_slowly(ear: MakeEar) -> None:
    """A device keeps trying, at the slow pace; the account may yet be made."""

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(bytes([0x20, 3, 0, 0x86, 0]) if number == 0 else ACCEPT_5)
        client.drain()

    with scripted(script) as broker:
        one = ear(broker.address, backoff=Backoff(first_s=0.0, cap_s=0.0, refused_s=0.2))
        began = time.monotonic()
        one.link.start()
        one.connects.get(timeout=DEADLINE_S)
        assert time.monotonic() - began >= 0.1


def test_one_that_gives_up_says_why_and_ends(ear: MakeEar) -> None:
    """With ``retry_refused=False`` the owner is told, and no second attempt is made."""
    with scripted(_refuse(5, 0x87)) as broker:
        one = ear(broker.address, retry_refused=False)
        one.link.start()
        assert "does not authorise" in one.losses.get(timeout=DEADLINE_S)
        with pytest.raises(BrokerError, match="stopped"):
            one.link.publish("a", b"")
        assert broker.connections.qsize() == 1


def test_mosquitto_that_asks_for_a_password_is_reported(
    mosquitto: RunningBroker, tmp_path: Path, unused_port: int, ear: MakeEar
) -> None:
    """A real Mosquitto without anonymous access: refused in words under both versions."""
    command = configure_mosquitto(tmp_path, host="127.0.0.1", port=unused_port)
    file = tmp_path / "mosquitto.conf"
    file.write_text(file.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for protocol in ("auto", "3.1.1"):
                one = ear(BrokerAddress("127.0.0.1", unused_port, username="a", password="b"), protocol=protocol)
                one.link.start()
                with pytest.raises(BrokerError, match=r"does not authorise this client|user name or the password"):
                    one.link.wait_connected(DEADLINE_S)
        finally:
            process.terminate()


def test_an_absent_broker_is_named(unused_port: int, ear: MakeEar) -> None:
    """Nobody listens: the deadline's message says so, with the address."""
    one = ear(BrokerAddress("127.0.0.1", unused_port))
    one.link.start()
    with pytest.raises(BrokerError, match=f"no broker listens at mqtt://127.0.0.1:{unused_port}"):
        one.link.wait_connected(0.3)


def test_a_name_that_does_not_resolve_is_named(ear: MakeEar) -> None:
    """An unknown host is said to be that (RFC 6761 keeps .invalid free)."""
    one = ear(BrokerAddress("broker.invalid", 1883))
    one.link.start()
    with pytest.raises(BrokerError, match=r"the name 'broker\.invalid' cannot be resolved"):
        one.link.wait_connected(DEADLINE_S, patient=False)


def test_a_service_that_never_answers_is_named(ear: MakeEar) -> None:
    """A socket that accepts and stays silent is not waited for for ever."""
    with scripted(lambda client, number: client.drain()) as broker:
        one = ear(broker.address, connect_timeout_s=0.2)
        one.link.start()
        with pytest.raises(BrokerError, match=r"does not answer as an MQTT broker within 0\.2 s"):
            one.link.wait_connected(DEADLINE_S, patient=False)


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
        assert pings.is_set()


def test_a_takeover_is_said_and_does_not_race(ear: MakeEar) -> None:
    """MQTT 5's reason "session taken over" is reported, and the next attempt comes at the slow pace."""

    def script(client: Client, number: int) -> None:
        client.version()
        client.send(ACCEPT_5)
        client.send(bytes([0xE0, 2, 0x8E, 0]))
        client.drain()

    with scripted(script) as broker:
        one = ear(broker.address, client_id="kitchen", backoff=Backoff(first_s=0.0, cap_s=0.0, refused_s=600))
        one.link.start()
        assert "another client connected as 'kitchen'" in one.losses.get(timeout=DEADLINE_S)
        one.link.stop()
        assert broker.connections.qsize() == 1


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
    one = ear(embedded_broker.address)
    heard = one.messages

    def answer(message: object) -> None:
        heard.put(message)  # type: ignore[arg-type]
        if heard.qsize() == 1:
            one.link.publish(f"{fleet_id}/answer", b"2")
            raise RuntimeError("a mistake of the owner's")

    one.link._deliver = answer  # the owner is made after the link here
    one.up(f"{fleet_id}/#")
    one.link.publish(f"{fleet_id}/question", b"1")
    assert one.next().payload == b"1"
    assert one.next().payload == b"2"
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
    began = time.monotonic()
    one.link.stop()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert time.monotonic() - began < 5
    assert not any(thread.name.startswith("mqtt-") for thread in threading.enumerate())


def test_qos_0_is_dropped_while_away_and_wildcards_are_refused(unused_port: int, ear: MakeEar) -> None:
    """Nothing of QoS 0 waits for a connection; a wildcard is no topic to publish on."""
    one = ear(BrokerAddress("127.0.0.1", unused_port))
    one.link.publish("t", b"", qos=0)
    assert len(one.link._outbox) == 0
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


def test_tls_checks_the_brokers_certificate(
    mosquitto: RunningBroker, tmp_path: Path, unused_port: int, ear: MakeEar
) -> None:
    """A certificate is trusted if its authority is named, and refused in words if not."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True,
    )  # fmt: skip
    command = configure_mosquitto(tmp_path, host="127.0.0.1", port=unused_port)
    file = tmp_path / "mosquitto.conf"
    file.write_text(f"{file.read_text()}certfile {cert}\nkeyfile {key}\n")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            good = ear(BrokerAddress.parse(f"mqtts://127.0.0.1:{unused_port}?ca={cert}")).up("a")
            good.link.publish("a", bytes(300_000))
            assert len(good.next().payload) == 300_000
            stranger = ear(BrokerAddress.parse(f"mqtts://127.0.0.1:{unused_port}"))
            stranger.link.start()
            with pytest.raises(BrokerError, match="a certificate that is not trusted"):
                stranger.link.wait_connected(DEADLINE_S)
            plain = ear(BrokerAddress("127.0.0.1", unused_port))
            plain.link.start()
            with pytest.raises(BrokerError, match="is TLS right"):
                plain.link.wait_connected(DEADLINE_S, patient=False)
        finally:
            process.terminate()


def test_tls_files_that_cannot_be_read_are_named(unused_port: int, ear: MakeEar, tmp_path: Path) -> None:
    """A missing authority file is a refusal in words, not a thread that dies."""
    one = ear(BrokerAddress("127.0.0.1", unused_port, tls=True, ca_file=str(tmp_path / "none.pem")))
    one.link.start()
    with pytest.raises(BrokerError, match=r"none\.pem"):
        one.link.wait_connected(DEADLINE_S, patient=False)


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


def test_a_connection_that_is_given_up_is_replaced(mosquitto: RunningBroker, ear: MakeEar) -> None:
    """Whoever knows better than the keepalive asks for another connection, and says why."""
    one = ear(mosquitto.address).up()
    one.connects.get(timeout=DEADLINE_S)
    one.link.reconnect("nobody answers")
    assert one.losses.get(timeout=DEADLINE_S) == "nobody answers"
    one.connects.get(timeout=DEADLINE_S)
