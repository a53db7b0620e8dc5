"""A link of 256 kbit/s made by the kernel: network namespaces, a veth pair, and a token bucket at either end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.brokers import start_broker
from tests.faults.fleet_parts import Process
from tests.faults.network_fleet import WEIGHTS_BYTES, FleetAt
from tests.faults.process_fleet import NAMES, ROUNDS

pytestmark = pytest.mark.soak

RATE = "256kbit"


@dataclass(frozen=True)
class Link:
    """A network behind a slow link: commands are run there with ``prefix``; our end has ``address``."""

    namespace: str
    device: str
    address: str

    @property
    def prefix(self) -> list[str]:
        """What a command is started by, to be at the far end."""
        return ["ip", "netns", "exec", self.namespace]

    def counted(self) -> tuple[int, int]:
        """Bytes that went to the far end, and that came from it; headers of all layers included."""
        folder = Path("/sys/class/net") / self.device / "statistics"
        return int((folder / "tx_bytes").read_text()), int((folder / "rx_bytes").read_text())


@pytest.fixture
def link() -> Iterator[Link]:
    """A slow link; skipped where the kernel, its tools or our rights do not allow one."""
    number = os.getpid() % 60_000
    far, near, name = f"inkf{number}", f"inkn{number}", f"inkfleet-{number}"
    subnet = f"10.{200 + number // 256 % 50}.{number % 256}"

    def run(*words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)

    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc"))):
        pytest.skip("a slow link needs root, ip and tc (apt install iproute2)")
    try:
        run("ip", "netns", "add", name)
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far)
        run("ip", "link", "set", far, "netns", name)
        run("ip", "addr", "add", f"{subnet}.1/24", "dev", near)
        run("ip", "link", "set", near, "up")
        inside = ("ip", "netns", "exec", name)
        run(*inside, "ip", "addr", "add", f"{subnet}.2/24", "dev", far)
        run(*inside, "ip", "link", "set", far, "up")
        bucket = ("root", "tbf", "rate", RATE, "burst", "8kb", "latency", "400ms")
        run("tc", "qdisc", "add", "dev", near, *bucket)
        run(*inside, "tc", "qdisc", "add", "dev", far, *bucket)
        yield Link(name, near, f"{subnet}.1")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no slow link: {error.stderr.decode().strip()}")
    finally:
        with suppress(OSError):
            subprocess.run(["ip", "link", "del", near], capture_output=True)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_a_device_behind_a_slow_link(link: Link, fleet_at: FleetAt, undisturbed: str, tmp_path: Path) -> None:
    """It takes part in every round, and nothing goes over the link twice: 1.2 times the weights, each way."""
    settings = {"user": "root"}
    with start_broker("mosquitto", folder=tmp_path / "mosquitto", host="0.0.0.0", settings=settings) as broker:
        fleet = fleet_at(broker)
        near, far = NAMES
        fleet.device(near)
        call: list[object] = ["--name", far, "--fleet", fleet.fleet, "--folder", fleet.device_folder(far).path]
        call += ["--broker", f"mqtt://{link.address}:{broker.address.port}", "--insecure"]
        device = Process("device", *call, "--no-page", "--no-adopt", "--holdout", "0", prefix=link.prefix)
        try:
            aggregator = fleet.aggregator(deadline_s=3000.0, gather_ms=250)
            assert aggregator.end(within_s=1500.0).weights_sha256 == undisturbed
            down, up = link.counted()
        finally:
            device.kill()
    for bytes_ in (down, up):
        assert ROUNDS * WEIGHTS_BYTES < bytes_ <= 1.2 * ROUNDS * WEIGHTS_BYTES
