"""``inkfleet fleet``: say who belongs to a fleet."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from deploy.cli.fleet_request import accept
from deploy.cli.fleet_request import request as request_command
from shared.errors import SettingsError

if TYPE_CHECKING:
    from deploy.enrolment.fleet_folder import FleetFolder
    from deploy.enrolment.requests import Request
    from deploy.enrolment.standings import Standing

_DAYS = click.IntRange(1, 3650)
_PORT = click.IntRange(1, 65535)


def _folder(function: Callable[..., Any]) -> Callable[..., Any]:
    option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
        "--folder", type=click.Path(path_type=Path), default=Path("fleet"), help="The fleet's folder (default: fleet)."
    )
    return option(function)


def _request(function: Callable[..., Any]) -> Callable[..., Any]:
    option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
        "--request",
        type=click.Path(path_type=Path),
        help="Certify the keys that the device drew itself: the file that inkfleet fleet request made there.",
    )
    return option(function)


def _open(folder: Path) -> FleetFolder:
    from deploy.enrolment import FleetFolder

    return FleetFolder(folder)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Say who belongs to a fleet: its certificate authority, its devices' identities, its broker's configuration.

    Example: inkfleet fleet init --fleet school --broker-host broker.local
    """


@group.command("init")
@_folder
@click.option("--fleet", default="inkfleet", help="The fleet's name (default: inkfleet).")
@click.option(
    "--broker-host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="A name or IP address of the broker's machine; give each one that clients use, the one for devices first "
    "(default: this machine's name, localhost and 127.0.0.1).",
)
@click.option("--port", type=_PORT, default=8883, help="Where the broker listens for certificates (default: 8883).")
@click.option("--password-port", type=_PORT, help="Where it listens for user names and passwords; without it, nowhere.")
@click.option(
    "--broker-folder",
    metavar="PATH",
    help="Where the files of broker/ will lie on the broker's machine, for its configuration "
    "(default: where they are now).",
)
@click.option(
    "--plugin-folder",
    metavar="PATH",
    help="Where the broker's machine has the plugins of Mosquitto 2.1 or later (default: /usr/lib, as in Mosquitto's "
    "container image; Debian on a PC has them in /usr/lib/x86_64-linux-gnu/mosquitto).",
)
@click.option("--days", type=_DAYS, default=365, help="How long broker's and aggregator's certificates are good.")
def init(
    folder: Path,
    *,
    fleet: str,
    hosts: tuple[str, ...],
    port: int,
    password_port: int | None,
    broker_folder: str | None,
    plugin_folder: str | None,
    days: int,
) -> None:
    """Make a fleet: its authority, and the files that its broker and its aggregator need.

    Example: inkfleet fleet init --fleet school --broker-host broker.local --broker-host 192.168.1.10
    """
    hosts = hosts or tuple(dict.fromkeys((socket.gethostname(), "localhost", "127.0.0.1")))
    _open(folder).init(
        fleet=fleet,
        hosts=hosts,
        port=port,
        password_port=password_port,
        broker_folder=broker_folder,
        plugin_folder=plugin_folder,
        days=days,
    )
    click.echo(
        f"fleet {fleet} is in {folder}/\n"
        f"  authority/   makes new members of the fleet; keep it offline, and keep a copy\n"
        f"  broker/      to the broker's machine: mosquitto -c {folder}/broker/mosquitto.conf "
        "(mosquitto-2.1.conf from 2.1 on)\n"
        f"  aggregator/  to the aggregator's machine: inkfleet aggregator --identity {folder}/aggregator\n"
        f"next: inkfleet fleet enroll DEVICE"
    )


@group.command("enroll")
@click.argument("devices", nargs=-1, metavar="DEVICE...")
@_folder
@_request
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write, or a folder (default: devices/ of the fleet)."
)
@click.option("--days", type=_DAYS, default=365, help="How long the identity is good (default: 365).")
@click.option("--password", is_flag=True, help="Log in at the broker with a random password, not with a certificate.")
def enroll(
    devices: tuple[str, ...], *, folder: Path, request: Path | None, out: Path | None, days: int, password: bool
) -> None:
    """Let devices into the fleet: make a file for each, to be copied to the device.

    By itself it draws the devices' keys, which are in their files. With --request a device has drawn its own.

    Example: inkfleet fleet enroll kitchen garden

    Example: inkfleet fleet enroll --request kitchen.request
    """
    if not devices and request is None:
        raise click.UsageError("Missing argument 'DEVICE...'.")
    if password and request is not None:
        raise click.UsageError("--password is not for --request: a password would be known to both sides")
    fleet = _open(folder)
    known = {one.name for one in fleet.standings()}
    if request is not None:
        asked = _read_request(request, devices)
        devices = (asked.name,)
        _say_granted(fleet, asked, fleet.grant(asked, days=days, out=out))
    else:
        files = fleet.enroll(devices, days=days, password=password, out=out)
        for name, file in zip(devices, files, strict=True):
            click.echo(f"{name}: {file}")
        click.echo(_to_copy(files[0]))
    back = [name for name in devices if name in known]
    click.echo(f"the aggregator's machine needs {folder}/aggregator/roster.json again")
    if password:
        click.echo(f"the broker's machine needs {folder}/broker/ again; {_RELOAD}")
    if back:
        click.echo(
            f"{', '.join(back)} had been revoked: the broker's machine needs {folder}/broker/ again; "
            "then restart the broker, which ends connections of before"
        )


@group.command("revoke")
@click.argument("devices", nargs=-1, required=True, metavar="DEVICE...")
@_folder
def revoke(devices: tuple[str, ...], *, folder: Path) -> None:
    """Take devices out of the fleet.

    Example: inkfleet fleet revoke kitchen
    """
    _open(folder).revoke(devices)
    click.echo(f"revoked: {', '.join(devices)}. It takes hold when broker and aggregator have the new lists:")
    click.echo(_lists_to_copy(folder))


@group.command("renew")
@click.argument("who", metavar="DEVICE|broker|aggregator")
@_folder
@_request
@click.option("--out", type=click.Path(path_type=Path), help="A device's file (default: devices/ of the fleet).")
@click.option("--days", type=_DAYS, default=365, help="How long the new certificate is good (default: 365).")
@click.option("--at-once", is_flag=True, help="Revoke the former certificate now, not when it expires.")
@click.option("--new-signing-key", is_flag=True, help="aggregator: sign with a new key; every device is renewed after.")
@click.option("--broker-host", "hosts", multiple=True, metavar="HOST", help="broker: its names and addresses from now.")
@click.option("--password-port", type=_PORT, help="broker: where it listens for passwords from now.")
@click.option("--broker-folder", metavar="PATH", help="broker: where its files lie on its machine from now.")
@click.option("--plugin-folder", metavar="PATH", help="broker: where Mosquitto 2.1 has its plugins there.")
def renew(
    who: str,
    *,
    folder: Path,
    request: Path | None,
    out: Path | None,
    days: int,
    at_once: bool,
    new_signing_key: bool,
    hosts: tuple[str, ...],
    password_port: int | None,
    broker_folder: str | None,
    plugin_folder: str | None,
) -> None:
    """Give a device, the broker or the aggregator new keys and a new certificate.

    Example: inkfleet fleet renew kitchen
    """
    misplaced = {
        "--out": out is not None and who in ("broker", "aggregator"),
        "--request": request is not None and who in ("broker", "aggregator"),
        "--at-once": at_once and who == "broker",
        "--new-signing-key": new_signing_key and who != "aggregator",
        "--broker-host": bool(hosts) and who != "broker",
        "--password-port": password_port is not None and who != "broker",
        "--broker-folder": broker_folder is not None and who != "broker",
        "--plugin-folder": plugin_folder is not None and who != "broker",
    }
    for option, wrong in misplaced.items():
        if wrong:
            raise click.UsageError(f"{option} is not for {who}")
    fleet = _open(folder)
    if who == "broker":
        fleet.renew_broker(
            hosts=hosts,
            password_port=password_port,
            broker_folder=broker_folder,
            plugin_folder=plugin_folder,
            days=days,
        )
        click.echo(f"the broker's machine needs {folder}/broker/ again; then restart the broker")
        return
    if who == "aggregator":
        fleet.renew_aggregator(days=days, at_once=at_once, new_signing_key=new_signing_key)
        click.echo(f"the aggregator's machine needs {folder}/aggregator/ again; then restart the aggregator")
        if new_signing_key:
            click.echo("no device believes the new signing key: renew every device, and copy its new file to it")
    else:
        if request is not None:
            asked = _read_request(request, (who,))
            _say_granted(fleet, asked, fleet.grant(asked, renewing=True, at_once=at_once, days=days, out=out))
        else:
            file = fleet.renew(who, days=days, at_once=at_once, out=out)
            click.echo(f"{who}: {file}\n{_to_copy(file)}")
        click.echo(f"the aggregator's machine needs {folder}/aggregator/roster.json again")
    if at_once:
        click.echo(
            f"what it had is revoked; for that to take hold, copy {folder}/broker/ to the broker's machine, and "
            "restart the broker: it keeps connections that stand, and this name is still good"
        )


@group.command("check")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("fleet/broker"))
def check(folder: Path) -> None:
    """Look whether the broker's files, where they were made or where they were copied, are whole and go together.

    FOLDER is the folder broker/ of a fleet, or a copy (default: fleet/broker). Do it before a running broker is told to
    read them: Mosquitto that finds a damaged list goes on without one.

    Example: inkfleet fleet check /etc/mosquitto/inkfleet
    """
    from deploy.brokers.file_set import faults, summary

    found = faults(folder, now=datetime.now(UTC))
    for fault in found:
        click.echo(f"fault: {fault}", err=True)
    if found:
        count = f"{len(found)} fault{'' if len(found) == 1 else 's'}"
        raise SettingsError(f"{folder} has {count}; let no broker read it")
    click.echo(f"{folder} is whole: {summary(folder)}")


@group.command("list")
@_folder
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_members(folder: Path, *, as_json: bool) -> None:
    """Show who belongs to the fleet, until when, and what is to be renewed.

    Example: inkfleet fleet list
    """
    fleet = _open(folder)
    record, standings = fleet.record(), fleet.standings()
    if as_json:
        document = {
            "fleet": record.fleet,
            "folder": str(folder),
            "authority": fleet.fingerprint(),
            "broker": {"hosts": record.hosts, "port": record.port, "password_port": record.password_port},
            "members": [_as_json(one) for one in standings],
            "warnings": sum(bool(one.warning) for one in standings),
        }
        click.echo(json.dumps(document))
        return
    click.echo(f"fleet {record.fleet}, broker {record.url(with_password=False)}, authority {fleet.fingerprint()}")
    width = max(len(one.name) for one in standings)
    for one in standings:
        state = f"revoked {one.revoked:%Y-%m-%d}" if one.revoked else f"until {one.not_after:%Y-%m-%d}"
        click.echo(f"  {one.name:<{width}}  {one.login:<11}  {state:<18}  {one.serial}")
    for one in standings:
        if one.warning:
            click.echo(f"warning: {one.name} {one.warning}{_remedy(one.name)}", err=True)


def _read_request(file: Path, names: tuple[str, ...]) -> Request:
    """Read a request, which has to be of the device that was named, if one was.

    Raises:
        SettingsError: it is another's, or cannot be read.
    """
    from deploy.enrolment.requests import read_request

    asked = read_request(file)
    if names and names != (asked.name,):
        raise SettingsError(f"request {file} is of device {asked.name}, not of {', '.join(names)}")
    return asked


def _say_granted(fleet: FleetFolder, asked: Request, file: Path) -> None:
    click.echo(f"{asked.name}: {file}, for the keys {asked.fingerprint}: the device has to have shown the same")
    click.echo(f"copy it to the device, beside its keys, and there: inkfleet fleet accept {file.name}")
    click.echo(f"it is to be shown this of the fleet: {fleet.fingerprint()}")


def _as_json(one: Standing) -> dict[str, Any]:
    from shared.validity import format_time

    return {
        "name": one.name,
        "login": one.login,
        "serial": one.serial,
        "not_after": format_time(one.not_after),
        "revoked": format_time(one.revoked) if one.revoked is not None else None,
        "warning": one.warning,
    }


def _remedy(name: str) -> str:
    if name == "authority":
        return "; make a new fleet, and enrol its devices there"
    return f"; inkfleet fleet renew {name}"


def _to_copy(file: Path) -> str:
    return f"copy it to the device, delete it here, and start there: inkfleet device --identity {file.name}"


def _lists_to_copy(folder: Path) -> str:
    return (
        f"  broker:      copy {folder}/broker/; {_RELOAD}\n"
        f"  aggregator:  copy {folder}/aggregator/roster.json; it is read again by itself\n"
        "From then on the broker lets nothing of it through, also over a connection that it still has."
    )


_RELOAD = "then send the broker SIGHUP (systemctl reload mosquitto; inkfleet broker sees it by itself)"

group.add_command(request_command)
group.add_command(accept)
