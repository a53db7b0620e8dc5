"""Start a broker as a process of its own, wait until it answers, and end it again."""

from __future__ import annotations

import errno
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.brokers import embedded, mosquitto
from shared.errors import BrokerError, SettingsError
from shared.mqtt import Backoff, BrokerAddress, MqttLink

CHOICES = ("auto", "embedded", "mosquitto")

_READY_S = 15.0
_STOP_S = 5.0
_EXTERNAL_S = 8.0


class RunningBroker:
    """A broker that answers; a context manager that ends it, if it is ours.

    Attributes:
        address: where clients connect.
        kind: ``embedded``, ``mosquitto``, or ``external`` for one that was running before.
        log: what it wrote; None for an external one.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        kind: str,
        log: Path | None,
        process: subprocess.Popen[bytes] | None,
        take_lists: Callable[[], str] = lambda: "",
    ) -> None:
        self.address = address
        self.kind = kind
        self.log = log
        self._process = process
        self._take_lists = take_lists

    @property
    def pid(self) -> int | None:
        """The broker's process; None for an external one."""
        return self._process.pid if self._process else None

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the process to end by itself; its exit code, or None if it still runs (or is not ours)."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def reload(self) -> str:
        """Have a Mosquitto of ours read its access list, revoked certificates and passwords again.

        Returns:
            Why it does not, and holds to what it read before; empty if it does.
        """
        if self._process is None or self.kind != "mosquitto" or self._process.poll() is not None:
            return ""
        if reason := self._take_lists():
            return reason
        self._process.send_signal(signal.SIGHUP)
        return ""

    def stop(self) -> None:
        """End the process if it is ours: ask, wait, kill. Safe to call twice."""
        if self._process is not None:
            _end(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_broker(
    choice: str,
    *,
    folder: Path,
    port: int | None = None,
    host: str = "127.0.0.1",
    settings: Mapping[str, str] | None = None,
) -> RunningBroker:
    """Start a broker, or check that one answers.

    The process ends with this one, however this one ends. (On Linux, it ends with the *thread* that called this
    function: call it from one that lives as long as the broker is needed.)

    Args:
        choice: ``auto`` (Mosquitto if one is installed, else the embedded one), ``embedded``, ``mosquitto``, or the
            address ``mqtt://…`` of one that runs already and is left alone.
        folder: where its configuration and its log go.
        port: where it listens; None lets the system choose.
        host: the address it listens on; loopback unless others are meant to connect.
        settings: of Mosquitto, see `mosquitto.configure`; other brokers have none of them.

    Raises:
        SettingsError: the choice is not understood, or the embedded broker is to listen to other machines.
        BrokerError: Mosquitto or the embedded broker is not installed, the port is in use, the process ended, or the
            broker at the address is absent or refuses.
    """
    if "://" in choice:
        address = BrokerAddress.parse(choice)
        probe(address, timeout_s=_EXTERNAL_S)
        return RunningBroker(address, kind="external", log=None, process=None)
    if choice not in CHOICES:
        raise SettingsError(
            f"no broker is called {choice!r}; choose {', '.join(CHOICES)}, or an address mqtt://host:port"
        )
    kind = choice
    if kind == "auto":
        kind = "mosquitto" if mosquitto.executable() is not None else "embedded"
    folder.mkdir(parents=True, exist_ok=True)
    # Another process may take a free port between our look and the broker's own; then another is tried.
    attempts = 1 if port is not None else 3
    for attempt in range(attempts):
        try:
            there = port if port is not None else free_port(host)
            return _start(kind, folder=folder, host=host, port=there, settings=settings)
        except BrokerError:
            if attempt == attempts - 1 or (kind == "mosquitto" and mosquitto.executable() is None):
                raise
    raise AssertionError("unreachable")


def start_secure_mosquitto(broker_folder: Path, *, folder: Path, host: str = "localhost") -> RunningBroker:
    """Start a Mosquitto with the configuration that ``inkfleet fleet`` made, and wait until it listens.

    Args:
        broker_folder: the fleet's folder ``broker/``.
        folder: where its log goes.
        host: the name in its address; one of those in its certificate.

    Raises:
        BrokerError: Mosquitto is not installed, a port is in use, or the process ended.
        SettingsError: there is no configuration in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command, port = mosquitto.configure_secure(broker_folder, folder=folder)
    _check_port("127.0.0.1", port)
    process, log = _spawn(command, log=folder / "mosquitto.log")
    try:
        deadline = time.monotonic() + _READY_S
        while not _listens(port):
            if process.poll() is not None:
                raise BrokerError(f"the mosquitto broker ended at once: {_last_line(log)}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the mosquitto broker does not listen within {_READY_S:g} s")
            time.sleep(0.02)
    except BaseException:
        _end(process)
        raise
    return RunningBroker(
        BrokerAddress(host, port, tls=True),
        kind="mosquitto",
        log=log,
        process=process,
        take_lists=partial(_take_lists, broker_folder, folder),
    )


def _take_lists(source: Path, folder: Path) -> str:
    from deploy.brokers.secure_files import take_lists  # loads `cryptography`

    return take_lists(source, folder)


def probe(address: BrokerAddress, *, timeout_s: float, patient: bool = False) -> None:
    """Connect as an MQTT client and leave again.

    Raises:
        BrokerError: nothing answers, or it refuses.
    """
    with _probe_link(address) as link:
        link.wait_connected(timeout_s, patient=patient)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket(_family(host), socket.SOCK_STREAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def _start(kind: str, *, folder: Path, host: str, port: int, settings: Mapping[str, str] | None) -> RunningBroker:
    if kind == "embedded" and host not in mosquitto.LOOPBACK:
        raise SettingsError(
            f"the embedded broker asks nobody who he is, and listens on this machine alone, not on {host}; "
            "take a Mosquitto with the configuration of inkfleet fleet init"
        )
    _check_port(host, port)
    if kind == "embedded":
        command = embedded.configure(folder, host=host, port=port)
    else:
        command = mosquitto.configure(folder, host=host, port=port, settings=settings)
    process, log = _spawn(command, log=folder / f"{kind}.log")
    try:
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        address = BrokerAddress(local, port)
        _await_ready(process, address, kind=kind, log=log)
    except BaseException:
        _end(process)
        raise
    return RunningBroker(address, kind=kind, log=log, process=process)


def _spawn(command: list[str], *, log: Path) -> tuple[subprocess.Popen[bytes], Path]:
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # the embedded broker ends when it closes
            stdout=file,
            stderr=file,
            start_new_session=True,  # Ctrl-C is for us; we end the broker last
        )
    return process, log


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def _await_ready(process: subprocess.Popen[bytes], address: BrokerAddress, *, kind: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    with _probe_link(address) as link:
        while True:
            try:
                link.wait_connected(0.1)
            except BrokerError as error:
                if process.poll() is not None:
                    break
                if time.monotonic() > deadline:
                    raise BrokerError(f"the {kind} broker does not answer within {_READY_S:g} s: {error}") from None
            else:
                break
    if process.poll() is not None:
        raise BrokerError(f"the {kind} broker ended at once: {_last_line(log)}")


def _probe_link(address: BrokerAddress) -> MqttLink:
    return MqttLink(
        address,
        client_id=f"inkfleet-probe-{secrets.token_hex(4)}",
        on_message=lambda message: None,
        on_connect=lambda: None,
        backoff=Backoff(first_s=0.02, cap_s=0.1),
        retry_refused=False,
    )


def _check_port(host: str, port: int) -> None:
    with socket.socket(_family(host), socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                what = f"port {port} on {host} is in use; choose another with --port, or end what listens there"
            elif error.errno == errno.EACCES:
                what = f"port {port} needs the rights of root; choose one above 1023"
            else:
                what = f"cannot listen on {host}:{port}: {error.strerror}"
            raise BrokerError(what) from None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()
