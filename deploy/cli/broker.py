"""``inkfleet broker``: a broker in the foreground."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Literal, NoReturn, Self

import rich_click as click
from pydantic import Field, model_validator

from deploy.brokers import RunningBroker, start_broker, start_secure_mosquitto
from deploy.brokers.mosquitto import LOOPBACK
from deploy.cli.options import settings_options
from shared.errors import BrokerError
from shared.settings import Settings


class BrokerSettings(Settings):
    """What ``inkfleet broker`` can be told."""

    section = "broker"

    kind: Literal["auto", "embedded", "mosquitto"] = Field(
        "auto", description="Which broker: Mosquitto, the embedded one, or Mosquitto if it is installed (auto)"
    )
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 lets other machines connect")
    port: int = Field(1883, ge=1, le=65535, description="TCP port to listen on")
    secure: Path | None = Field(
        None,
        description="The folder broker/ that inkfleet fleet made: run Mosquitto with its configuration, at its ports, "
        "for those alone who were enrolled",
    )
    insecure: bool = Field(
        False, description="Listen to other machines without TLS and without asking anyone who he is"
    )

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.host not in LOOPBACK and not self.insecure and self.secure is None:
            raise ValueError(
                f"on {self.host}, anyone who reaches this port could take part; take --secure (inkfleet fleet init), "
                "or accept that with --insecure"
            )
        return self


@click.command()
@settings_options(BrokerSettings)
def command(settings: BrokerSettings) -> None:
    """Run an MQTT broker for a fleet on this machine, in the foreground, until Ctrl-C (which exits with 0).

    By itself it asks nobody who he is, and listens on this machine alone. With --secure it is a Mosquitto for the
    members of a fleet, over TLS, on every address of this machine; who may do what is read again as soon as its files
    change, and at SIGHUP.

    Example: inkfleet broker --secure fleet/broker
    """
    with tempfile.TemporaryDirectory(prefix="inkfleet-broker-") as folder:
        try:
            if settings.secure is None:
                _serve(settings, folder=Path(folder))
            else:
                _serve_securely(settings, settings.secure, folder=Path(folder))
        except KeyboardInterrupt:
            # Ctrl-C, or SIGTERM from an init system, is how this command is meant to end.
            click.echo("broker stopped", err=True)


def _serve(settings: BrokerSettings, *, folder: Path) -> NoReturn:
    with start_broker(settings.kind, folder=folder, port=settings.port, host=settings.host) as broker:
        click.echo(_greeting(settings, broker))
        _ended(broker, broker.wait())


def _serve_securely(settings: BrokerSettings, broker_folder: Path, *, folder: Path) -> NoReturn:
    from deploy.brokers.reloading import look, wait_and_reload
    from deploy.brokers.secure_files import RELOADED

    # Before the broker reads them, so that no change falls between.
    known = look(broker_folder / name for name in RELOADED)
    with start_secure_mosquitto(broker_folder, folder=folder) as broker:
        _ended(broker, wait_and_reload(broker, known, greeting=_greeting(settings, broker), say=click.echo))


def _ended(broker: RunningBroker, code: int | None) -> NoReturn:
    """Say what a broker said that ended by itself.

    Raises:
        BrokerError: always.
    """
    said = broker.log.read_text(errors="replace").strip().splitlines() if broker.log else []
    raise BrokerError(f"the broker ended with code {code}: {said[-1] if said else 'it said nothing'}")


def _greeting(settings: BrokerSettings, broker: RunningBroker) -> str:
    if settings.secure is not None:
        return (
            f"mosquitto broker listening on port {broker.address.port}, for members of the fleet; Ctrl-C ends it\n"
            f"  aggregator: inkfleet aggregator --identity {settings.secure.parent / 'aggregator'}\n"
            "  device:     inkfleet device --identity kitchen.pem --data SAMPLES"
        )
    everyone = settings.host in ("0.0.0.0", "::")
    host = socket.gethostname() if everyone else settings.host
    url = f"mqtt://{f'[{host}]' if ':' in host else host}:{settings.port}"
    remote = settings.host not in LOOPBACK
    accept = " --insecure" if remote else ""
    lines = [
        f"{broker.kind} broker listening on {settings.host}, port {settings.port}; Ctrl-C ends it",
        f"  aggregator: inkfleet aggregator --broker {url}{accept}",
        f"  device:     inkfleet device --broker {url}{accept} --name kitchen --data SAMPLES",
    ]
    if remote:
        lines.append("  Anyone who reaches this port may connect, and read and change everything.")
    return "\n".join(lines)
