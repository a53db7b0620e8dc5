"""One connection over a bad line: its bytes go on, late, changed or not at all, as the line is at the moment."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from deploy.chaos.line import Counts, Direction, Line
from deploy.chaos.packets import Framer, Publish, repeated
from shared.mqtt import BrokerAddress

_READ_BYTES = 256 * 1024
_HOLD_S = 0.2
"""A packet that is to change places with the next one waits so long for it."""
_SLICES_PER_S = 20
_LOOK_S = 0.5
_HUNG_UP = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Condition:
    """How a line is at the moment, for its connections to see. Belongs to one event loop.

    Attributes:
        line: what is wrong with it.
        counts: what it has done, for each direction.
        rng: decides which packets are touched.
    """

    def __init__(self, *, rng: np.random.Generator) -> None:
        self.line = Line()
        self.counts: dict[Direction, Counts] = {"up": Counts(), "down": Counts()}
        self.rng = rng
        self._changed = asyncio.Event()

    def change(self, line: Line) -> None:
        """Set what is wrong; whoever waits for a change goes on."""
        self.line = line
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()


@dataclass(eq=False)
class _Wire:
    """One direction of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    # Packets are written in slices where the line is slow: an acknowledgement must not come between them.
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Connection:
    """A client's connection and the one to the broker that stands for it.

    Args:
        client: a socket that was accepted.
        upstream: the broker.
        condition: of the line.
    """

    def __init__(self, client: socket.socket, upstream: BrokerAddress, *, condition: Condition) -> None:
        self._client = client
        self._upstream = upstream
        self._condition = condition
        self._frozen = False
        self._writers: list[asyncio.StreamWriter] = []
        self._acknowledging: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Carry nothing from now on, and stay open as long as one of both ends does."""
        self._frozen = True

    async def carry(self) -> None:
        """Carry from the beginning to the end; cancelled with ``"end"``, it ends in good order, or else by a reset."""
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        near_reader, near_writer = await asyncio.open_connection(sock=self._client)
        self._writers.append(near_writer)
        pumps: list[asyncio.Task[None]] = []
        reset = True
        try:
            far_reader, far_writer = await asyncio.open_connection(self._upstream.host, self._upstream.port)
            self._writers.append(far_writer)
            far_writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up, down = _Wire(near_reader, far_writer), _Wire(far_reader, near_writer)
            pumps = [asyncio.create_task(self._pump("up", up, down)), asyncio.create_task(self._pump("down", down, up))]
            pumps.append(asyncio.create_task(self._until_cut()))
            done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            reset = pumps[2] in done or any(one.exception() is not None for one in done)
        except OSError:
            pass
        except asyncio.CancelledError as cancelled:
            reset = cancelled.args != ("end",)
        finally:
            ending = [*pumps, *self._acknowledging]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            for writer in self._writers:
                _end(writer, reset=reset)

    async def _until_cut(self) -> None:
        """Return when the line's time for a connection is over."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            every_s = self._condition.line.cut_every_s
            left_s = None if every_s is None else every_s - (loop.time() - began)
            if left_s is not None and left_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._condition.changed(), left_s)

    async def _pump(self, direction: Direction, wire: _Wire, back: _Wire) -> None:
        framer = Framer()
        held: bytes | None = None
        while True:
            await self._passing(direction)
            try:
                data = await asyncio.wait_for(wire.reader.read(_READ_BYTES), _HOLD_S if held is not None else None)
            except TimeoutError:
                assert held is not None
                await self._write(direction, wire, held)
                held = None
                continue
            await self._passing(direction)
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
        line, counts = self._condition.line, self._condition.counts[direction]
        publish = Publish.of(packet) if line.touches_packets else None
        if publish is None or not line.touches(publish.topic):
            yield packet, False
            return
        draw = self._condition.rng.random()
        if draw < line.drop:
            counts.dropped += 1
        elif draw < line.drop + line.lose:
            counts.lost += 1
            if publish.qos == 1:
                acknowledging = asyncio.create_task(_acknowledge(back, publish))
                self._acknowledging.add(acknowledging)
                acknowledging.add_done_callback(self._acknowledging.discard)
        elif draw < line.drop + line.lose + line.repeat:
            counts.repeated += 1
            yield packet, False
            yield repeated(packet), False
        elif draw < line.drop + line.lose + line.repeat + line.reorder:
            counts.reordered += 1
            yield packet, True
        else:
            yield packet, False

    async def _passing(self, direction: Direction) -> None:
        """Wait until something may pass.

        Raises:
            ConnectionError: nothing ever will, for both ends have hung up; neither of them hears of the other.
        """
        while self._frozen or direction in self._condition.line.stalled:
            if not self._frozen:
                await self._condition.changed()
            elif all(map(_has_hung_up, self._writers)):
                raise ConnectionResetError
            else:
                await asyncio.sleep(_LOOK_S)

    async def _write(self, direction: Direction, wire: _Wire, packet: bytes) -> None:
        async with wire.writing:
            written = 0
            while written < len(packet):
                await self._passing(direction)
                kbit_s = self._condition.line.kbit_s
                size = len(packet) - written
                if kbit_s is not None:
                    size = min(size, max(64, int(kbit_s * 125 / _SLICES_PER_S)))
                self._condition.counts[direction].passed_bytes += size
                wire.writer.write(packet[written : written + size])
                await wire.writer.drain()
                written += size
                if kbit_s is not None:
                    await asyncio.sleep(size / (kbit_s * 125))


async def _acknowledge(back: _Wire, publish: Publish) -> None:
    async with back.writing:
        with contextlib.suppress(OSError):
            back.writer.write(publish.acknowledgement())
            await back.writer.drain()


def _has_hung_up(writer: asyncio.StreamWriter) -> bool:
    """Whether the other end is gone, also where what it sent before has not been read."""
    descriptor = writer.get_extra_info("socket").fileno()
    if descriptor < 0:
        return True
    look = select.poll()
    look.register(descriptor, select.POLLRDHUP)
    return any(events & _HUNG_UP for _, events in look.poll(0))


def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    sock = writer.get_extra_info("socket")
    if reset:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
