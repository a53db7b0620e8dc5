"""A bad line: a TCP proxy between clients and a broker, whose faults can be switched while it runs.

It knows where MQTT packets begin and end (plain TCP; 3.1.1 and 5), so that it can lose, repeat and reorder whole
PUBLISH packets. MQTT over TCP knows no such loss, and says nothing of it: a PUBLISH at QoS 1 that is dropped here is
not acknowledged, and its sender repeats it at its next connection only. One that is *lost* is acknowledged in the
receiver's stead, which is what a broker does whose queue is full: it is gone for good.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

import numpy as np

from deploy.chaos.connection import Condition, Connection
from deploy.chaos.line import Counts, Direction, Line
from shared.mqtt import BrokerAddress


class Proxy:
    """A line to a broker. A context manager; ``address`` is there once it is entered.

    Args:
        upstream: the broker.
        rng: decides which packets are touched.

    Attributes:
        address: where clients connect.
        connections: how many were accepted so far.
    """

    def __init__(self, upstream: BrokerAddress, *, rng: np.random.Generator | None = None) -> None:
        self._upstream = upstream
        self._condition = Condition(rng=rng if rng is not None else np.random.default_rng())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._place: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._open: dict[asyncio.Task[None], Connection] = {}
        # Accepted, and not carried yet: who ends before that is closed here.
        self._let_in: set[socket.socket] = set()
        self.address: BrokerAddress
        self.connections = 0

    @property
    def line(self) -> Line:
        """What is wrong with the line at present."""
        return self._condition.line

    @property
    def counts(self) -> dict[Direction, Counts]:
        """What the line has done, for each direction."""
        return self._condition.counts

    @property
    def open_connections(self) -> int:
        """How many connections there are at present, those included over which nothing goes any more."""
        return len(self._open)

    def set(self, line: Line) -> None:
        """Change what is wrong with the line; connections that are open feel it at once. From any thread."""
        self._call(self._set, line)

    def cut(self, *, reset: bool = True) -> None:
        """End all connections: by a reset, or else in good order (FIN) towards both sides. From any thread."""
        self._call(self._cut, reset)

    def freeze(self) -> None:
        """Pass nothing on any more over the connections that are open, and leave them open; new ones are well.

        That is a half-open connection as routers make it that forget one: neither end hears of the other's leaving,
        and it is gone when both have left. From any thread.
        """
        self._call(self._freeze, None)

    def __enter__(self) -> Proxy:
        # It never listens: it keeps the port ours while connections are refused.
        self._place = _bound(0)
        port = self._place.getsockname()[1]
        self.address = BrokerAddress(
            "127.0.0.1", port, username=self._upstream.username, password=self._upstream.password
        )
        self._thread.start()
        self.set(self.line)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        if self._place is not None:
            self._place.close()

    # -- the proxy's thread -------------------------------------------------------------------------------------------

    def _call(self, function: Callable[..., None], argument: object) -> None:
        done = threading.Event()

        def work() -> None:
            try:
                function(argument)
            finally:
                done.set()

        self._loop.call_soon_threadsafe(work)
        done.wait(60.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._open_listener()
        try:
            self._loop.run_forever()
        finally:
            self._close_listener()
            tasks = list(self._open)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            for client in self._let_in:
                client.close()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _open_listener(self) -> None:
        if self._listener is None:
            self._listener = _listening(self.address.port)
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _set(self, line: object) -> None:
        assert isinstance(line, Line)
        self._condition.change(line)
        if line.refusing:
            self._close_listener()
        else:
            self._open_listener()

    def _cut(self, reset: object) -> None:
        for task in list(self._open):
            task.cancel("reset" if reset else "end")

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # it left before it was let in
        client.setblocking(False)
        self.connections += 1
        self._let_in.add(client)
        connection = Connection(client, self._upstream, condition=self._condition)
        task = self._loop.create_task(self._carry(client, connection))
        self._open[task] = connection
        task.add_done_callback(self._open.pop)

    async def _carry(self, client: socket.socket, connection: Connection) -> None:
        self._let_in.discard(client)
        await connection.carry()

    def _freeze(self, _: object) -> None:
        for connection in self._open.values():
            connection.freeze()


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock


def _listening(port: int) -> socket.socket:
    listener = _bound(port)
    listener.listen(256)
    listener.setblocking(False)
    return listener
