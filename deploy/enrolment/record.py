"""What a fleet's authority remembers about the fleet, beside its key and the roster."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.brokers.secure_files import PLUGIN_FOLDER
from shared.errors import SettingsError
from shared.files import write_bytes

Port = Annotated[int, Field(ge=1, le=65535)]


class Issued(BaseModel):
    """A certificate that was issued: its serial number in hexadecimal, and when it expires."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serial: str = Field(pattern=r"^[0-9A-F]{1,40}$")
    not_after: datetime


class Withdrawn(BaseModel):
    """A serial number that is no device's and is to be on the revocation list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    serial: str = Field(pattern=r"^[0-9A-F]{1,40}$")
    since: datetime


class FleetRecord(BaseModel):
    """The fleet as its authority knows it.

    Attributes:
        fleet: its name.
        hosts: the broker's names and addresses, the one that devices are told first.
        port: of the listener for certificates.
        password_port: of the listener for passwords; None if there is none.
        broker_folder: where the broker's files lie on its machine.
        plugin_folder: where Mosquitto 2.1 has its plugins there.
        aggregator_key: checks what the aggregator signs: 32 bytes in base64.
        passwords: the hashes of devices that have a password, by name.
        broker: the broker's certificate.
        aggregator: the aggregator's.
        former_aggregators: the aggregator's before that, which are good still.
        withdrawn: former certificates of the aggregator's that are good no more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(1, ge=1, le=1)
    fleet: str
    hosts: tuple[str, ...] = Field(min_length=1)
    port: Port
    password_port: Port | None
    broker_folder: str
    plugin_folder: str = PLUGIN_FOLDER
    aggregator_key: str
    passwords: dict[str, str] = {}
    broker: Issued
    aggregator: Issued
    former_aggregators: tuple[Issued, ...] = ()
    withdrawn: tuple[Withdrawn, ...] = ()

    def url(self, *, with_password: bool) -> str:
        """Where clients connect to."""
        host = f"[{self.hosts[0]}]" if ":" in self.hosts[0] else self.hosts[0]
        return f"mqtts://{host}:{self.password_port if with_password else self.port}"

    def key(self) -> Ed25519PublicKey:
        """What checks the aggregator's signatures."""
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(self.aggregator_key))

    def having(self, **changes: Any) -> Self:
        """The same with some members changed."""
        return self.model_copy(update=changes)

    def save(self, path: Path) -> None:
        """Write it whole or not at all, for its owner alone: hashes of passwords are in it.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        write_bytes(path, (self.model_dump_json(indent=1) + "\n").encode(), mode=0o600)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it.

        Raises:
            SettingsError: it cannot be read, or is damaged.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise SettingsError(
                f"the fleet's authority cannot be read at {path.parent}: {error.strerror or error}; "
                "if it is kept offline, bring it back for this command"
            ) from None
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            where = ".".join(map(str, fault["loc"])) or "all of it"
            raise SettingsError(f"{path} is damaged ({where}: {fault['msg']}); take it from a backup") from None
