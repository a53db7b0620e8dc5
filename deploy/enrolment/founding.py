"""How a fleet begins: its authority, and the first files of broker and aggregator."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.brokers.secure_files import PLUGIN_FOLDER
from deploy.enrolment.certificates import Authority, certificate_pem, key_pem
from deploy.enrolment.fleet_files import publish
from deploy.enrolment.names import BROKER, check_folder, check_host, check_ports
from deploy.enrolment.record import FleetRecord, Issued
from deploy.enrolment.servers import certify_aggregator, certify_broker
from shared.errors import SettingsError, StorageError
from shared.files import write_bytes
from shared.identity_file import AGGREGATOR
from shared.roster import RosterList
from shared.topics import check_name

_AUTHORITY_DAYS = 3650


def found(
    folder: Path,
    *,
    fleet: str,
    hosts: Sequence[str],
    port: int,
    password_port: int | None,
    broker_folder: str | None,
    plugin_folder: str | None,
    now: datetime,
    days: int,
) -> None:
    """Make a fleet's folder, whole or not at all.

    Args:
        folder: where; nothing but an empty folder may be there.
        fleet: the fleet's name.
        hosts: the broker's names and IP addresses; devices are told the first.
        port: where it listens for certificates.
        password_port: where it listens for passwords; None for nowhere.
        broker_folder: where its files will lie on its machine; None for where they are made.
        plugin_folder: where Mosquitto 2.1 has its plugins there; None for `secure_files.PLUGIN_FOLDER`.
        now: the time.
        days: how long the broker's and the aggregator's certificates are good.

    Raises:
        SettingsError: a name or port cannot be, or the folder holds something already.
        StorageError: the folder cannot be written.
    """
    check_name(fleet, what="fleet")
    for host in hosts:
        check_host(host)
    if not hosts:
        raise SettingsError("a fleet needs at least one name or address of its broker: --broker-host")
    check_ports(port, password_port)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds a fleet already" if (folder / "authority").exists() else "is there and not empty"
        raise SettingsError(f"{folder} {what}; choose another --folder (nothing was changed)")
    place = folder.absolute()
    broker_folder = check_folder(broker_folder or str(place / BROKER))
    plugin_folder = check_folder(plugin_folder or PLUGIN_FOLDER)
    try:
        # One by one: `parents=True` makes all but the last with whatever the umask leaves.
        for parent in reversed(place.parents):
            if not parent.exists():
                parent.mkdir(mode=0o755, exist_ok=True)
        # Made aside and put in place in one step: a fleet is whole, or not there. mkdtemp makes it its owner's.
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as error:
        raise StorageError(f"cannot write {place.parent}: {error.strerror or error}") from None
    try:
        for name in ("authority", BROKER, AGGREGATOR, "devices"):
            (made / name).mkdir(mode=0o700)
        authority, authority_key = Authority.make(fleet=fleet, now=now, days=_AUTHORITY_DAYS)
        write_bytes(made / "authority" / "ca.key", key_pem(authority_key), mode=0o600)
        write_bytes(made / "authority" / "ca.crt", certificate_pem(authority.certificate))
        record = FleetRecord(
            version=1,
            fleet=fleet,
            hosts=tuple(hosts),
            port=port,
            password_port=password_port,
            broker_folder=broker_folder,
            plugin_folder=plugin_folder,
            aggregator_key="",
            broker=certify_broker(made, authority, hosts, now=now, days=days),
            aggregator=Issued(serial="0", not_after=now),
        )
        signing_key = Ed25519PrivateKey.generate()
        record = certify_aggregator(made, authority, record, signing_key, now=now, days=days)
        publish(made, authority, record, RosterList(fleet, {}), now=now)
        made.rename(place)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be made: {error.strerror or error}") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)
