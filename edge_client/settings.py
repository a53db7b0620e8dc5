"""What a device can be told: one schema for the command line, the environment and the TOML file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from edge_client.page import DEFAULT_PORT
from edge_client.sample_store import DEFAULT_MAX_SAMPLES
from shared import enrolled
from shared.errors import SettingsError
from shared.labels import LABEL_SETS
from shared.mqtt import BrokerAddress
from shared.settings import Settings
from shared.topics import check_name
from shared.web.access import check_access
from shared.web.page_fields import host_field, port_field, token_field

T = TypeVar("T")

_HOURS = re.compile(r"([01]?\d|2[0-4])-([01]?\d|2[0-4])\Z")


class DeviceSettings(Settings):
    """The settings of ``inkfleet device``: table ``[device]``, variables ``INKFLEET_DEVICE_…``."""

    section: ClassVar[str] = "device"

    name: str = Field(description="the device's name, one of its own in the fleet, unless --identity says it")
    broker: str = Field(default="mqtt://127.0.0.1:1883", description="the MQTT broker, mqtt://host:port or mqtts://…")
    fleet: str = Field(default="inkfleet", description="the fleet's name")
    identity: Path | None = Field(
        default=None,
        description="the file that inkfleet fleet enroll made for this device: name, fleet and broker come from it, "
        "and it proves to both sides who is who",
    )
    insecure: bool = Field(
        default=False, description="take a broker on another machine without TLS, which anyone on the way can change"
    )
    folder: Path | None = Field(
        default=None,
        description="where the device keeps its samples, its update and its weights; without it, "
        "~/.local/share/inkfleet/FLEET/NAME",
    )
    data: Path | None = Field(default=None, description="a dataset to add to the device's samples at the start")
    labels: str | None = Field(
        default=None, description=f"take only these labels of the data: {', '.join(LABEL_SETS)}; without it, all it has"
    )
    holdout: float = Field(
        default=0.1, ge=0, lt=1, description="the fraction of the samples kept out of training, to check weights on"
    )
    threads: int = Field(default=1, ge=1, le=64, description="threads of the training program")
    max_samples: int = Field(
        default=DEFAULT_MAX_SAMPLES,
        ge=0,
        description="samples kept; beyond, the oldest of the most frequent label leave; 0 for no limit",
    )
    wait_s: float = Field(
        default=20.0,
        ge=0,
        description="give up when no broker was found for so many seconds from the start, or it refuses this device; "
        "0 for never; once connected, a device waits for its broker as long as it takes",
    )
    adopt: bool = Field(default=True, description="keep the newest global weights that pass a check on the hold-out")
    adopt_tolerance: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="how much accuracy on the hold-out new global weights may lose, beyond what may be chance",
    )
    cache_mib: int = Field(default=64, ge=1, description="how much is kept of what was fetched, in MiB")
    max_fetch_mib: int = Field(
        default=256,
        ge=1,
        description="a round whose model and weights are larger together is not taken part in, in MiB: they have to "
        "fit the device's memory and disk",
    )
    writer: str = Field(
        default="", description="who writes here: the writer of what is corrected; without it, the device's name"
    )
    page: bool = Field(default=True, description="serve the device's page, to look, write and correct in a browser")
    page_host: str = host_field()
    page_port: int | None = port_field(usual=DEFAULT_PORT)
    token: str = token_field()
    source: str = Field(
        default="",
        description="what the device reads and shows on its page: a camera (0, /dev/video0, picamera), a video, a "
        "picture, a folder of pictures, or an address (rtsp://, http://)",
    )
    train_hours: str = Field(
        default="", description="train only within these hours of the day, like 22-6; empty for any"
    )
    max_temperature_c: float = Field(
        default=0.0, ge=0, description="do not begin to train while the processor is hotter, in °C; 0 for any"
    )
    max_load: float = Field(
        default=0.0, ge=0, description="do not begin to train while the load per core is higher; 0 for any"
    )

    @model_validator(mode="before")
    @classmethod
    def _enrolled(cls, values: Any) -> Any:
        return _said(lambda: enrolled.fill_in(values, role="device"))

    @field_validator("name", "fleet")
    @classmethod
    def _named(cls, value: str, info: ValidationInfo) -> str:
        what = "device" if info.field_name == "name" else "fleet"
        return _said(lambda: check_name(value, what=what))

    @field_validator("broker")
    @classmethod
    def _address(cls, value: str) -> str:
        _said(lambda: str(BrokerAddress.parse(value)))
        return value

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, value: str | None) -> str | None:
        if value is not None and value not in LABEL_SETS:
            raise ValueError(f"no label set is called {value!r}; choose {', '.join(LABEL_SETS)}")
        return value

    @field_validator("train_hours")
    @classmethod
    def _hours(cls, value: str) -> str:
        if value:
            hours_of(value)
        return value

    @model_validator(mode="after")
    def _agree(self) -> Self:
        _said(lambda: enrolled.check_broker(self.broker, insecure=self.insecure))
        if self.source and not self.page:
            raise ValueError("the source is shown on the page: leave --no-page out, or use inkfleet live")
        if self.page:
            _said(lambda: check_access(self.page_host, token=self.token))
        return self

    def broker_address(self) -> BrokerAddress:
        """Return the broker's address, with what TLS needs.

        Raises:
            SettingsError: the identity cannot be read.
        """
        return enrolled.broker_address(self.broker, identity=self.identity, role="device")

    def device_folder(self) -> Path:
        """Return the folder set, or the default one."""
        if self.folder is not None:
            return self.folder
        data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        return Path(data) / "inkfleet" / self.fleet / self.name


def hours_of(text: str) -> tuple[int, int]:
    """Read ``22-6`` as the hours (22, 6), from the first up to the second.

    Raises:
        ValueError: it is not two hours of the day, or twice the same.
    """
    found = _HOURS.match(text)
    if not found or int(found[1]) % 24 == int(found[2]) % 24:
        raise ValueError(f"expected two hours of the day like 22-6, got {text!r}")
    return int(found[1]) % 24, int(found[2]) % 24


def _said(check: Callable[[], T]) -> T:
    try:
        return check()
    except SettingsError as error:
        # pydantic takes a ValueError as a fault of the field, and `Settings.load` says where the value came from.
        raise ValueError(str(error)) from None
