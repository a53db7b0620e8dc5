"""From what a person writes after ``--source`` to the source it means."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

from edge_client.camera.capture import Capture
from edge_client.camera.picamera import PiCamera
from edge_client.camera.source import Source
from edge_client.camera.stills import SUFFIXES, Stills
from edge_client.camera.stream import SCHEMES, NetworkStream
from edge_client.camera.v4l2 import V4l2Camera
from edge_client.camera.video import VideoFile
from edge_client.pictures import is_video
from shared.errors import DataError, SettingsError

KINDS = (
    "a camera (0, /dev/video0, picamera), a video, a picture, a folder of pictures, or an address (rtsp://, http://)"
)
"""What a source can be, in words."""

DEFAULT_SIZE = (1280, 720)


def open_source(
    text: str,
    *,
    size: tuple[int, int] = DEFAULT_SIZE,
    pace_s: float | None = None,
    loop: bool = False,
    every: bool = False,
    patient: bool = False,
    on_trouble: Callable[[str], None] = lambda line: None,
) -> Source:
    """Return the source that a text means; its `Source.start` opens it.

    Args:
        text: one of `KINDS`.
        size: the width and height to ask a camera for, in pixels.
        pace_s: the time between the pictures of a video or folder, in seconds; None for what suits it.
        loop: begin a video or folder again at its end.
        every: hand out every picture of a video or folder, and drop none.
        patient: wait for a camera that is not there at the start.
        on_trouble: told of every new trouble, see `Source`.

    Raises:
        SettingsError: the text means nothing.
        DataError: it names a file or folder that does not exist.
    """
    capture = _capture(text, size=size, pace_s=pace_s)
    return Source(capture, loop=loop, every=every, patient=patient, on_trouble=on_trouble)


def _capture(text: str, *, size: tuple[int, int], pace_s: float | None) -> Capture:
    if not text.strip():
        raise SettingsError(f"the source is empty; expected {KINDS}")
    if re.fullmatch(r"\d{1,3}", text):
        return V4l2Camera(Path(f"/dev/video{text}"), size=size)
    if found := re.fullmatch(r"picamera(\d?)", text):
        return PiCamera(size=size, index=int(found[1] or 0))
    if text.lower().startswith(SCHEMES):
        return NetworkStream(text)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text):
        raise SettingsError(f"source {text.partition('://')[0]}://… is not known; expected {KINDS}")
    path = Path(text)
    if re.fullmatch(r"/dev/video\d+", text) or _is_device(path):
        return V4l2Camera(path, size=size)
    if not path.exists():
        raise DataError(f"source {text}: there is no such file or folder; expected {KINDS}")
    if path.is_dir() or (path.suffix.lower() in SUFFIXES and not is_video(path)):
        return Stills(path, pace_s=pace_s)
    return VideoFile(path, pace_s=pace_s)


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False
