"""The link at brokers that refuse, stay silent or are not there: each is said in words."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.brokers import RunningBroker
from deploy.brokers.mosquitto import configure as configure_mosquitto
from shared.errors import BrokerError
from shared.mqtt import Backoff, BrokerAddress
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.shared.mqtt.scripted_broker import (
    ACCEPT_5,
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
    until = time.monotonic() + DEADLINE_S
    while not one.link.trouble and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(BrokerError, match=f"no broker listens at mqtt://127.0.0.1:{unused_port}"):
        one.link.wait_connected(0.1)


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
