"""A socket that behaves like a broker as far as a test wants, and then misbehaves."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from shared.mqtt import BrokerAddress

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14

ACCEPT_3 = bytes([0x20, 2, 0, 0])
ACCEPT_5 = bytes([0x20, 3, 0, 0, 0])


class Client:
    """One accepted connection: packets in, bytes out."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._stream = sock.makefile("rb")

    def read(self) -> tuple[int, bytes]:
        """The next packet: its type and what follows its length. Raises ConnectionError at the end."""
        head = self._stream.read(1)
        if not head:
            raise ConnectionError("the client left")
        length, shift = 0, 0
        while True:
            byte = self._stream.read(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return head[0] >> 4, self._stream.read(length)

    def version(self) -> int:
        """Read CONNECT; its protocol level: 4 for MQTT 3.1.1, 5 for MQTT 5."""
        kind, body = self.read()
        assert kind == CONNECT
        return body[6]

    def drain(self) -> None:
        """Read until the client leaves, and answer nothing."""
        while True:
            self.read()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


class Scripted:
    """Where it listens, and how often it was connected to."""

    def __init__(self, port: int) -> None:
        self.address = BrokerAddress("127.0.0.1", port)
        self.connections: queue.Queue[int] = queue.Queue()


@contextmanager
def scripted(script: Callable[[Client, int], None]) -> Iterator[Scripted]:
    """Run ``script(client, number)`` for each connection, one after the other, counted from 0."""
    server = socket.create_server(("127.0.0.1", 0))
    broker = Scripted(server.getsockname()[1])
    current: list[socket.socket] = []

    def serve() -> None:
        number = 0
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            current[:] = [sock]
            broker.connections.put(number)
            client = Client(sock)
            try:
                script(client, number)
            except (OSError, ValueError, IndexError):
                pass
            finally:
                client._stream.close()
                sock.close()
            number += 1

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield broker
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for sock in current:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        thread.join()
