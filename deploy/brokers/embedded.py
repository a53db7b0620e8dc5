"""The broker that pip installs: rumqttd, compiled into the iotcore wheel. Why this one: docs/decisions/0002.

It speaks MQTT 3.1.1 on one port. It keeps a log per subscription filter in memory, and a subscriber that falls behind
by more than the log loses the oldest messages; the protocol repairs that. The log of a filter that nobody subscribes to
any more is kept: some 2 MB for each blob that was fetched. A subscription at QoS 1 hands out at most
100 retained messages, one at QoS 0 all of them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from deploy.brokers import tether
from shared.errors import BrokerError
from shared.files import write_bytes

_SERVER = Path(__file__).with_name("embedded_server.py")

# The log of one filter is segments × segment size: 128 MiB, 90 times the default network's weights.
_CONFIGURATION = """\
# Written by Inkfleet for one run.
id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 10000
max_segment_size = 16777216
max_segment_count = 8

[v4.1]
name = "inkfleet"
listen = "{host}:{port}"
next_connection_delay_ms = 1

    [v4.1.connections]
    connection_timeout_ms = 10000
    max_payload_size = 16777216
    max_inflight_count = 100
"""


def installed() -> bool:
    """Whether the wheel with the broker is there."""
    return importlib.util.find_spec("iotcore") is not None


def configure(folder: Path, *, host: str, port: int) -> list[str]:
    """Write its configuration and return the command that runs it, tied to this process.

    Raises:
        BrokerError: the wheel is not installed.
    """
    if not installed():
        raise BrokerError("the embedded broker is not installed; pip install 'inkfleet[aggregator]', or use Mosquitto")
    file = folder / "embedded.toml"
    listen = f"[{host}]" if ":" in host else host
    write_bytes(file, _CONFIGURATION.format(host=listen, port=port).encode())
    python = [sys.executable, "-I"]
    return [*python, tether.__file__, str(os.getpid()), *python, str(_SERVER), str(file)]
