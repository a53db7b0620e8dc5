"""A bad line: a TCP proxy between clients and a broker, whose faults can be switched while it runs.

It knows where MQTT packets begin and end (plain TCP; 3.1.1 and 5), so that it can lose, repeat and reorder whole
PUBLISH packets. MQTT over TCP knows no such loss, and says nothing of it: a PUBLISH at QoS 1 that is dropped here is
not acknowledged, and its sender repeats it at its next connection only. One that is *lost* is acknowledged in the
receiver's stead, which is what a broker does whose queue is full: it is gone for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from deploy.chaos.packets import Framer, Publish, repeated
from shared.mqtt import BrokerAddress

Direction = Literal["up", "down"]
"""From the client to the broker, or back."""

BOTH: frozenset[Direction] = frozenset(("up", "down"))

_READ_BYTES = 256 * 1024
_HOLD_S = 0.2
"""A packet that is to change places with the next one waits so long for it."""
_SLICES_PER_S = 20


def every_topic(topic: str) -> bool:
    """Touch all PUBLISH packets."""
    return True


def chunks_only(topic: str) -> bool:
    """Touch what is asked for again when it does not come, and nothing else."""
    return "/chunk/" in topic or "/blob/" in topic


@dataclass(frozen=True)
class Line:
    """What is wrong with a line at present; nothing, unless set.

    Attributes:
        kbit_s: each connection carries no more than this in each direction, in kbit/s; None for no limit.
        stalled: directions in which nothing is passed on, while connections stay open.
        drop: probability that a PUBLISH disappears; nobody acknowledges it.
        lose: probability that a PUBLISH disappears and is acknowledged nevertheless.
        repeat: probability that a PUBLISH is passed on twice, the second time with DUP.
        reorder: probability that a PUBLISH changes places with the packet after it.
        touches: which topics the four before apply to.
        cut_every_s: every connection is cut after so long, in seconds; None for never.
        refusing: new connections are refused.
    """

    kbit_s: float | None = None
    stalled: frozenset[Direction] = frozenset()
    drop: float = 0.0
    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    touches: Callable[[str], bool] = every_topic
    cut_every_s: float | None = None
    refusing: bool = False


@dataclass
class Counts:
    """What a line has carried and done, over all its connections; of one direction.

    Attributes:
        passed_bytes: passed on.
        dropped, lost, repeated, reordered: PUBLISH packets.
    """

    passed_bytes: int = 0
    dropped: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0


@dataclass(eq=False)
class _Wire:
    """One direction of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    # Packets are written in slices where the line is slow: an acknowledgement must not come between them.
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    frozen: bool = False


class Proxy:
    """A line to a broker. A context manager; ``address`` is there once it is entered.

    Args:
        upstream: the broker.
        rng: decides which packets are touched.

    Attributes:
        address: where clients connect.
        counts: for each direction.
        connections: how many were accepted so far.
    """

    def __init__(self, upstream: BrokerAddress, *, rng: np.random.Generator | None = None) -> None:
        self._upstream = upstream
        self._rng = rng if rng is not None else np.random.default_rng()
        self._line = Line()
        self._changed: asyncio.Event
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._place: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._wires: set[_Wire] = set()
        self._let_in: set[socket.socket] = set()
        self.address: BrokerAddress
        self.counts: dict[Direction, Counts] = {"up": Counts(), "down": Counts()}
        self.connections = 0

    @property
    def line(self) -> Line:
        """What is wrong with the line at present."""
        return self._line

    def set(self, line: Line) -> None:
        """Change what is wrong with the line; connections that are open feel it at once. From any thread."""
        self._call(self._set, line)

    def cut(self, *, reset: bool = True) -> None:
        """End all connections: by a reset, or else in good order (FIN) towards both sides. From any thread."""
        self._call(self._cut, reset)

    def freeze(self) -> None:
        """Pass nothing on any more over the connections that are open, and leave them open; new ones are well.

        That is a half-open connection as routers make it that forget one. From any thread.
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
        self.set(self._line)
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
        done.wait(5.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._changed = asyncio.Event()
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
        self._line = line
        self._changed.set()
        self._changed = asyncio.Event()
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
        task = self._loop.create_task(self._carry(client))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def _freeze(self, _: object) -> None:
        for wire in self._wires:
            wire.frozen = True

    async def _carry(self, client: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        self._let_in.discard(client)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near_reader, near_writer = await asyncio.open_connection(sock=client)
        writers = [near_writer]
        pumps: list[asyncio.Task[None]] = []
        reset = True
        try:
            far_reader, far_writer = await asyncio.open_connection(self._upstream.host, self._upstream.port)
            far_writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            writers.append(far_writer)
            up, down = _Wire(near_reader, far_writer), _Wire(far_reader, near_writer)
            self._wires |= {up, down}
            pumps = [asyncio.create_task(self._pump("up", up, down)), asyncio.create_task(self._pump("down", down, up))]
            pumps.append(asyncio.create_task(self._until_cut()))
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            reset = pumps[2] in done or any(one.exception() is not None for one in done)
        except OSError:
            pass
        except asyncio.CancelledError as cancelled:
            reset = cancelled.args != ("end",)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            if pumps:
                self._wires -= {up, down}
            for writer in writers:
                _end(writer, reset=reset)

    async def _until_cut(self) -> None:
        """Return when the line's time for a connection is over."""
        began = self._loop.time()
        while True:
            every_s, changed = self._line.cut_every_s, self._changed
            left_s = None if every_s is None else every_s - (self._loop.time() - began)
            if left_s is not None and left_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left_s)

    async def _pump(self, direction: Direction, wire: _Wire, back: _Wire) -> None:
        framer = Framer()
        held: bytes | None = None
        while True:
            await self._passing(direction, wire)
            try:
                data = await asyncio.wait_for(wire.reader.read(_READ_BYTES), _HOLD_S if held is not None else None)
            except TimeoutError:
                assert held is not None
                await self._write(direction, wire, held)
                held = None
                continue
            await self._passing(direction, wire)
            if not data:
                return
            for packet in framer.feed(data):
                for one, hold in self._touched(direction, packet, back):
                    if hold and held is None:
                        held = one
                        continue
                    await self._write(direction, wire, one)
                    if held is not None:
                        await self._write(direction, wire, held)
                        held = None

    def _touched(self, direction: Direction, packet: bytes, back: _Wire) -> Iterator[tuple[bytes, bool]]:
        """Yield what becomes of a packet, each with whether it is to be held until after the next one."""
        line, counts = self._line, self.counts[direction]
        publish = Publish.of(packet) if line.drop or line.lose or line.repeat or line.reorder else None
        if publish is None or not line.touches(publish.topic):
            yield packet, False
            return
        draw = self._rng.random()
        if draw < line.drop:
            counts.dropped += 1
        elif draw < line.drop + line.lose:
            counts.lost += 1
            if publish.qos == 1:
                acknowledging = asyncio.create_task(self._acknowledge(back, publish))
                self._open.add(acknowledging)
                acknowledging.add_done_callback(self._open.discard)
        elif draw < line.drop + line.lose + line.repeat:
            counts.repeated += 1
            yield packet, False
            yield repeated(packet), False
        elif draw < line.drop + line.lose + line.repeat + line.reorder:
            counts.reordered += 1
            yield packet, True
        else:
            yield packet, False

    async def _acknowledge(self, back: _Wire, publish: Publish) -> None:
        async with back.writing:
            with contextlib.suppress(OSError):
                back.writer.write(publish.acknowledgement())
                await back.writer.drain()

    async def _passing(self, direction: Direction, wire: _Wire) -> None:
        while wire.frozen or direction in self._line.stalled:
            await self._changed.wait()

    async def _write(self, direction: Direction, wire: _Wire, packet: bytes) -> None:
        async with wire.writing:
            written = 0
            while written < len(packet):
                await self._passing(direction, wire)
                kbit_s = self._line.kbit_s
                size = len(packet) - written
                if kbit_s is not None:
                    size = min(size, max(64, int(kbit_s * 125 / _SLICES_PER_S)))
                self.counts[direction].passed_bytes += size
                wire.writer.write(packet[written : written + size])
                await wire.writer.drain()
                written += size
                if kbit_s is not None:
                    await asyncio.sleep(size / (kbit_s * 125))


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


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    sock = writer.get_extra_info("socket")
    if reset:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
