"""A stream from the network: a camera that speaks RTSP, or Motion JPEG or HLS by HTTP."""

from __future__ import annotations

import os
import re

from edge_client.camera.decoder import Decoder, first_of
from edge_client.camera.frame import Picture
from edge_client.camera.quiet import quiet_cv2
from shared.errors import RunError

SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")

_OPEN_TIMEOUT_MS = 10_000
_READ_TIMEOUT_MS = 5_000


class NetworkStream:
    """A stream by its address.

    Args:
        url: begins with one of `SCHEMES`. A user and password in it are used and never shown.
    """

    live = True
    still = False
    interval_s = 0.0

    def __init__(self, url: str) -> None:
        self.title = without_password(url)
        self.name = f"stream {self.title}"
        self._url = url
        self._decoder: Decoder | None = None

    def open(self) -> None:
        """Connect, and make sure that there is a picture."""
        # By TCP, because a lost UDP packet smears half a picture. A person's own choice of options stands.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        cv2 = quiet_cv2()
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS]
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)
        self._decoder = first_of(capture)
        if self._decoder is None:
            raise RunError(f"{self.name} gives no picture; is the address right, and the camera on?")

    def next(self, *, skip: int = 0) -> Picture | None:
        """Wait for the next picture; None once the stream is silent or has ended."""
        return self._decoder.next(skip=skip) if self._decoder is not None else None

    def close(self) -> None:
        """Hang up."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None


def without_password(url: str) -> str:
    """Return an address without the user and password in it."""
    return re.sub(r"//[^/@]*@", "//", url)
