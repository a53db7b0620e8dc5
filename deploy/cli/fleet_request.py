"""``inkfleet fleet request`` and ``accept``: what a device does that keeps its keys to itself."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from shared.errors import SettingsError

_KEYS, _REQUEST, _GRANT, _IDENTITY = ".keys", ".request", ".granted", ".pem"


@click.command("request")
@click.argument("device")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder for the two files (default: here).",
)
def request(device: str, *, out: Path) -> None:
    """On a device: draw its keys, and write a request for the keeper of the fleet, in which nothing is secret.

    The keys stay on the device. The keeper answers with inkfleet fleet enroll --request, and the device takes the
    answer with inkfleet fleet accept.

    Example: inkfleet fleet request kitchen
    """
    from deploy.enrolment.requests import make_request

    keys, asked = out / f"{device}{_KEYS}", out / f"{device}{_REQUEST}"
    made = make_request(device, keys_file=keys, request_file=asked)
    click.echo(f"{device}: {keys} stays here, for its owner alone")
    click.echo(f"copy {asked} to the keeper of the fleet: inkfleet fleet enroll --request {asked.name}")
    click.echo(f"the keeper is to be shown these keys: {made.fingerprint}")


@click.command("accept")
@click.argument("grant", type=click.Path(path_type=Path))
@click.option("--keys", type=click.Path(path_type=Path), help="The keys that were asked with (default: beside it).")
@click.option("--out", type=click.Path(path_type=Path), help="The identity's file (default: beside it, as DEVICE.pem).")
def accept(grant: Path, *, keys: Path | None, out: Path | None) -> None:
    """On a device: put the keeper's answer and the device's own keys into its identity.

    An identity of the same device that is there already gives way to it.

    Example: inkfleet fleet accept kitchen.granted
    """
    from deploy.enrolment.grants import accept as complete

    if grant.suffix != _GRANT and (keys is None or out is None):
        raise SettingsError(f"{grant} is not called DEVICE{_GRANT}; say --keys and --out, or give it that name")
    out = out or grant.with_suffix(_IDENTITY)
    content, authority = complete(grant, keys_file=keys or grant.with_suffix(_KEYS), out=out)
    click.echo(f"{content.name}: {out}, for broker {content.address}; its keys are in it, and nowhere else")
    click.echo(f"it believes fleet {content.fleet}; the keeper was shown the same of it: {authority}")
    click.echo(f"next: inkfleet device --identity {out}")
