"""``inkfleet broker`` in the foreground."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from deploy.brokers import RunningBroker, probe
from shared.mqtt import BrokerAddress
from tests.broker_fixtures import DEADLINE_S

ENTRY = [sys.executable, "-c", "from deploy.cli import main; main()", "broker"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_interrupted(embedded_broker: RunningBroker, unused_port: int, end: signal.Signals) -> None:
    """It says how to connect, serves, and ends with 0 and without its child at Ctrl-C or SIGTERM."""
    command = [*ENTRY, "--kind", "embedded", "--port", str(unused_port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        assert f"port {unused_port}" in said[0]
        assert f"inkfleet aggregator --broker mqtt://127.0.0.1:{unused_port}" in said[1]
        assert f"inkfleet device --broker mqtt://127.0.0.1:{unused_port}" in said[2]
        probe(BrokerAddress("127.0.0.1", unused_port), timeout_s=DEADLINE_S)
        children = psutil.Process(process.pid).children()
        process.send_signal(end)
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "broker stopped\n"
    assert len(children) == 1
    assert not children[0].is_running()


def test_a_port_in_use_ends_it(embedded_broker: RunningBroker) -> None:
    """A taken port is one line on stderr and exit code 5."""
    command = [*ENTRY, "--kind", "embedded", "--port", str(embedded_broker.address.port)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert run.returncode == 5
    assert run.stderr.count("\n") == 1
    assert "is in use" in run.stderr
