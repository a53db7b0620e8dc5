"""A broker's certificate that is not good is told apart in words: over, not begun, for another name."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.enrolment.certificates import Authority, certificate_pem, key_pem, new_key
from shared.errors import BrokerError
from shared.mqtt import BrokerAddress
from shared.mqtt.tls import shake_hands

NOW = datetime.now(UTC)


@contextmanager
def listening(certificate: Path) -> Iterator[int]:
    """Serve one handshake of TLS with a certificate; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                plain, _ = server.accept()
                with plain, suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(5)


@pytest.mark.parametrize(
    ("host", "made", "days", "says"),
    [
        ("127.0.0.1", NOW - timedelta(days=9), 3, "has expired; inkfleet fleet renew broker"),
        ("127.0.0.1", NOW + timedelta(days=9), 30, "not valid yet; is this machine's clock right"),
        ("192.0.2.1", NOW, 3, "for other addresses than 127.0.0.1"),
    ],
)
def test_a_brokers_certificate_is_refused_in_words(
    tmp_path: Path, host: str, made: datetime, days: int, says: str
) -> None:
    """With what is to be done about it."""
    authority, _ = Authority.make(fleet="school", now=NOW - timedelta(days=30), days=300)
    key = new_key()
    file = tmp_path / "broker.pem"
    file.write_bytes(
        certificate_pem(authority.issue_broker([host], key.public_key(), now=made, days=days)) + key_pem(key)
    )
    with listening(file) as port:
        address = BrokerAddress("127.0.0.1", port, tls=True, ca_data=certificate_pem(authority.certificate).decode())
        with pytest.raises(BrokerError, match=says):
            shake_hands(address, timeout_s=10)


def test_what_is_no_tls_is_told_too() -> None:
    """A server that answers in the clear is not taken for a broker with a bad certificate."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            plain, _ = server.accept()
            with plain:
                plain.recv(1)
                plain.sendall(b"220 mail\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(BrokerError, match="does not speak TLS"):
            shake_hands(BrokerAddress("127.0.0.1", server.getsockname()[1], tls=True), timeout_s=10)
        thread.join(5)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("192.168.1.10", False), ("localhost.example", False), ("::ffff:192.0.2.1", False)],
)  # fmt: skip
def test_this_machine_is_told_from_others(host: str, loopback: bool) -> None:
    """TLS is asked for wherever others may listen in."""
    assert BrokerAddress(host, 1883).loopback is loopback
