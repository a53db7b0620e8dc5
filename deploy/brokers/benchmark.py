"""Measure a broker with a fleet's traffic: ``python -m deploy.brokers.benchmark embedded mosquitto``.

The figures of docs/decisions/0002 come from here. The clients are eleven links in one Python process, so wall times are
mostly theirs; the broker's own cost is its processor time.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import rich_click as click

from deploy.brokers import RunningBroker, start_broker
from shared.mqtt import Message, MqttLink, OutboxBounds

CHUNK = os.urandom(96 * 1024)
CHUNKS = 15  # 1.44 MB, the default network's weights
DEVICES = 10
ROUNDS = 10
DEADLINE_S = 60.0


class Tally:
    """Counts messages and lets a thread wait for a number of them."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __call__(self, message: Message) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, count: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, DEADLINE_S)


class Bench:
    """One broker under load."""

    def __init__(self, broker: RunningBroker) -> None:
        assert broker.pid is not None
        self._broker = broker
        self._process = psutil.Process(broker.pid)
        self._links: list[MqttLink] = []

    def link(self, on_message: Callable[[Message], None], *filters: str) -> MqttLink:
        link = MqttLink(
            self._broker.address,
            client_id=f"bench-{len(self._links)}",
            on_message=on_message,
            on_connect=lambda: None,
            bounds=OutboxBounds(messages=4096, size_bytes=1 << 28),
        )
        self._links.append(link)
        link.subscribe(*filters)
        link.start()
        link.wait_connected(DEADLINE_S)
        link.flush(DEADLINE_S)
        return link

    def run(self) -> dict[str, float | str]:
        """Take all measurements; times in milliseconds for one round of one blob."""
        result: dict[str, float | str] = {"broker": self._broker.kind}
        heard = [Tally() for _ in range(DEVICES)]
        devices = [self.link(tally, "blob/#") for tally in heard]
        server_heard = Tally()
        server = self.link(server_heard, "device/+/chunk/#")

        began, cpu = time.perf_counter(), self._cpu_s()
        for index in range(ROUNDS * CHUNKS):
            server.publish(f"blob/{index}", CHUNK)
        whole = all(tally.wait(ROUNDS * CHUNKS) for tally in heard)
        self._put(result, "broadcast", began, cpu, whole=whole)

        def upload(number: int) -> None:
            for index in range(ROUNDS * CHUNKS):
                devices[number].publish(f"device/{number}/chunk/{index}", CHUNK)

        began, cpu = time.perf_counter(), self._cpu_s()
        threads = [threading.Thread(target=upload, args=(number,)) for number in range(DEVICES)]
        for thread in threads:
            thread.start()
        whole = server_heard.wait(ROUNDS * CHUNKS * DEVICES)
        for thread in threads:
            thread.join()
        self._put(result, "upload", began, cpu, whole=whole)

        result["round_trip_ms"] = self._round_trip_ms()
        began = time.perf_counter()
        for _ in range(200):
            self.link(Tally(), "round")
        result["connect_200_ms"] = round((time.perf_counter() - began) * 1e3)
        result["memory_mib"] = self._process.memory_info().rss >> 20
        for link in self._links:
            link.stop()
        return result

    def _round_trip_ms(self) -> float:
        answered = Tally()
        asking = self.link(answered, "reply")
        answering = self.link(lambda message: answering.publish("reply", b""), "want")
        trips_s = []
        for count in range(1, 201):
            began = time.perf_counter()
            asking.publish("want", b"")
            answered.wait(count)
            trips_s.append(time.perf_counter() - began)
        return round(statistics.median(trips_s) * 1e3, 2)

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _put(self, result: dict[str, float | str], name: str, began: float, cpu: float, *, whole: bool) -> None:
        result[f"{name}_ms"] = round((time.perf_counter() - began) / ROUNDS * 1e3, 1)
        result[f"{name}_broker_cpu_ms"] = round((self._cpu_s() - cpu) / ROUNDS * 1e3, 1)
        if not whole:
            result[f"{name}_ms"] = "lost messages"


@click.command()
@click.argument("kinds", nargs=-1, required=True, type=click.Choice(["embedded", "mosquitto"]))
def main(kinds: tuple[str, ...]) -> None:
    """Measure brokers with a fleet's traffic; one JSON line each."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder, start_broker(kind, folder=Path(folder)) as broker:
            click.echo(json.dumps(Bench(broker).run()))


if __name__ == "__main__":
    main()
