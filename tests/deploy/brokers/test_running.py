"""Brokers start, end, die with their owner, and fail in words."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.brokers import RunningBroker, mosquitto, start_broker
from shared.errors import BrokerError, SettingsError
from tests.broker_fixtures import DEADLINE_S

ORPHANING = """
import sys
from pathlib import Path
from deploy.brokers import start_broker
broker = start_broker(sys.argv[1], folder=Path(sys.argv[2]))
print(broker.pid, flush=True)
sys.stdin.read()
"""


def test_it_listens_on_loopback_alone(any_broker: RunningBroker) -> None:
    """The broker's only listening socket is at 127.0.0.1 and the port of its address."""
    assert any_broker.pid is not None
    listening = [c.laddr for c in psutil.Process(any_broker.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(one.ip, one.port) for one in listening] == [("127.0.0.1", any_broker.address.port)]


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_it_dies_with_its_owner(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """After ``kill -9`` of the process that started it, the broker ends by itself."""
    request.getfixturevalue("mosquitto" if kind == "mosquitto" else "embedded_broker")
    command = [sys.executable, "-c", ORPHANING, kind, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        broker = psutil.Process(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    broker.wait(DEADLINE_S)
    assert not broker.is_running()


def test_stop_ends_the_process(embedded_broker: RunningBroker, tmp_path: Path) -> None:
    """After the block, the process is gone and the port is free; stopping twice is harmless."""
    with start_broker("embedded", folder=tmp_path) as broker:
        pid, port = broker.pid, broker.address.port
    broker.stop()
    assert pid is not None
    assert not psutil.pid_exists(pid)
    with start_broker("embedded", folder=tmp_path, port=port) as again:
        assert again.address.port == port


def test_a_port_in_use_is_named(embedded_broker: RunningBroker, tmp_path: Path) -> None:
    """A taken port is one line that names it."""
    port = embedded_broker.address.port
    with pytest.raises(BrokerError, match=f"port {port} on 127.0.0.1 is in use; choose another"):
        start_broker("embedded", folder=tmp_path, port=port)


def test_a_running_broker_is_checked_and_left_alone(embedded_broker: RunningBroker, tmp_path: Path) -> None:
    """An address stands for a broker that answers; it is not ended."""
    with start_broker(str(embedded_broker.address), folder=tmp_path) as broker:
        assert (broker.kind, broker.pid, broker.log) == ("external", None, None)
    assert embedded_broker.wait(0) is None


def test_an_absent_broker_is_one_line(tmp_path: Path, unused_port: int) -> None:
    """Nobody at the address: said at once, with the address."""
    with pytest.raises(BrokerError, match=f"no broker listens at mqtt://127.0.0.1:{unused_port}"):
        start_broker(f"mqtt://127.0.0.1:{unused_port}", folder=tmp_path)


def test_a_service_that_is_no_broker_is_one_line(tmp_path: Path) -> None:
    """Something that closes the connection without a word of MQTT is said not to be a broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pid = os.fork()
        if pid == 0:
            while True:
                server.accept()[0].close()
        try:
            with pytest.raises(BrokerError, match="is an MQTT broker there"):
                start_broker(f"mqtt://127.0.0.1:{server.getsockname()[1]}", folder=tmp_path)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """A word that is no kind and no address names the choices."""
    with pytest.raises(SettingsError, match="choose auto, embedded, mosquitto"):
        start_broker("rabbit", folder=tmp_path)


def test_auto_without_mosquitto_is_the_embedded_one(
    embedded_broker: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Mosquitto, ``auto`` starts the embedded broker, and asking for Mosquitto says what to do."""
    monkeypatch.setattr(mosquitto, "executable", lambda: None)
    with start_broker("auto", folder=tmp_path) as broker:
        assert broker.kind == "embedded"
    with pytest.raises(BrokerError, match="Mosquitto is not installed; install it"):
        start_broker("mosquitto", folder=tmp_path)


def test_a_broker_that_cannot_start_says_why(mosquitto: RunningBroker, tmp_path: Path) -> None:
    """The last line of the log of a broker that ended at once is the reason given."""
    with pytest.raises(BrokerError, match=r"cannot listen on 192\.0\.2\.1:\d+"):
        start_broker("mosquitto", folder=tmp_path, host="192.0.2.1", port=18830)
