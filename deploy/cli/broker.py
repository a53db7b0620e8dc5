"""``inkfleet broker``: a broker in the foreground."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Literal

import rich_click as click
from pydantic import Field

from deploy.brokers import start_broker
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


@click.command()
@settings_options(BrokerSettings)
def command(settings: BrokerSettings) -> None:
    """Run an MQTT broker for a fleet on this machine, in the foreground, until Ctrl-C (which exits with 0).

    It asks nobody for a password: it is for this machine, or for a network that you trust. For anything else, run a
    Mosquitto with passwords, an access list and TLS.

    Example: inkfleet broker --port 1883
    """
    with tempfile.TemporaryDirectory(prefix="inkfleet-broker-") as folder:
        try:
            with start_broker(settings.kind, folder=Path(folder), port=settings.port, host=settings.host) as broker:
                click.echo(_greeting(settings, kind=broker.kind))
                code = broker.wait()
                said = broker.log.read_text(errors="replace").strip().splitlines() if broker.log else []
                raise BrokerError(f"the broker ended with code {code}: {said[-1] if said else 'it said nothing'}")
        except KeyboardInterrupt:
            # Ctrl-C, or SIGTERM from an init system, is how this command is meant to end.
            click.echo("broker stopped", err=True)


def _greeting(settings: BrokerSettings, *, kind: str) -> str:
    everyone = settings.host in ("0.0.0.0", "::")
    host = socket.gethostname() if everyone else settings.host
    url = f"mqtt://{f'[{host}]' if ':' in host else host}:{settings.port}"
    lines = [
        f"{kind} broker listening on {settings.host}, port {settings.port}; Ctrl-C ends it",
        f"  aggregator: inkfleet aggregator --broker {url}",
        f"  device:     inkfleet device --broker {url} --name kitchen --data SAMPLES",
    ]
    if settings.host not in ("127.0.0.1", "::1", "localhost"):
        lines.append("  Anyone who reaches this port may connect: there are no passwords.")
    return "\n".join(lines)
