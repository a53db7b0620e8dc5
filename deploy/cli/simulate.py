"""``inkfleet simulate``: a fleet on this machine, through a real broker."""

from __future__ import annotations

import json

import rich_click as click

from deploy.cli.options import settings_options
from deploy.simulate.settings import SimulationSettings


@click.command(name="simulate")
@settings_options(SimulationSettings)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder --out, if there is one.")
@click.option("--force", is_flag=True, help="Replace files in the folder --out even if no simulation has made them.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object on stdout, last.")
def command(settings: SimulationSettings, *, resume: bool, force: bool, as_json: bool) -> None:
    """Train a fleet of devices on this machine, through a real broker, and write a report.

    A broker, an aggregator and the devices run as processes of their own and speak MQTT, as they do on machines of
    their own. Each device holds its own part of the handwriting; the accuracy is measured on writers that no device
    has seen. Ctrl-C ends everything in order and keeps the finished rounds; --resume goes on. A new run replaces the
    results of an earlier one in the same folder.

    Example: inkfleet simulate --data mine.npz --partition iid --partition shards --devices 20 --out runs/mine
    """
    from rich.console import Console

    from deploy.simulate.runner import simulate

    console = Console(stderr=as_json)
    result = simulate(settings, console=console, resume=resume, force=force)
    if as_json:
        click.echo(json.dumps(result))
