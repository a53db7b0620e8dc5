"""What live reading can be told: one schema for the command line, the environment and the TOML file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import ClassVar

from pydantic import Field, field_validator

from edge_client.page import DEFAULT_PORT
from shared.labels import LABEL_SETS
from shared.settings import Settings
from shared.web.page_fields import host_field, port_field, token_field

_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})\Z")


class LiveSettings(Settings):
    """The settings of ``inkfleet live``: table ``[live]``, variables ``INKFLEET_LIVE_…``."""

    section: ClassVar[str] = "live"

    source: str = Field(
        default="0",
        description="what is read: a camera (0, /dev/video0, picamera), a video, a picture, a folder of pictures, "
        "or an address (rtsp://, http://)",
    )
    weights: Path | None = Field(default=None, description="the weights to read with; without it, those that ship")
    labels: str = Field(default="algebra", description=f"what may be written: {', '.join(LABEL_SETS)}")
    size: str = Field(default="1280x720", description="the size of picture that a camera is asked for")
    threads: int = Field(default=1, ge=1, le=64, description="threads that read")
    window: bool = Field(default=True, description="show a window, where there is a display")
    page: bool | None = Field(
        default=None, description="serve the page, to look and to correct; without it, only where there is no window"
    )
    page_host: str = host_field()
    page_port: int | None = port_field(usual=DEFAULT_PORT)
    token: str = token_field()
    folder: Path | None = Field(
        default=None,
        description="where what is corrected on the page is kept; without it, ~/.local/share/inkfleet/live",
    )
    loop: bool = Field(default=False, description="begin a video or folder again at its end")
    every_frame: bool = Field(
        default=False,
        description="read every frame of a video, as fast as it goes, and drop none; so it is also where neither a "
        "window nor the page shows it",
    )
    pace_s: float | None = Field(
        default=None,
        gt=0,
        le=3600,
        description="seconds from one picture of a folder or video to the next; without it, 2 for a folder and a "
        "video's own",
    )

    @field_validator("labels")
    @classmethod
    def _known_labels(cls, value: str) -> str:
        if value not in LABEL_SETS:
            raise ValueError(f"no label set is called {value!r}; choose {', '.join(LABEL_SETS)}")
        return value

    @field_validator("size")
    @classmethod
    def _two_numbers(cls, value: str) -> str:
        if not _SIZE.match(value):
            raise ValueError(f"expected width and height like 1280x720, got {value!r}")
        return value

    def camera_size(self) -> tuple[int, int]:
        """Return the size that a camera is asked for: width and height, in pixels."""
        width, _, height = self.size.partition("x")
        return int(width), int(height)

    def store_folder(self) -> Path:
        """Return the folder set, or the default one."""
        if self.folder is not None:
            return self.folder
        data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
        return Path(data) / "inkfleet" / "live"
