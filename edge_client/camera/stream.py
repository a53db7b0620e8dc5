"""A stream from the network: a camera that speaks RTSP, or Motion JPEG or HLS by HTTP."""

from __future__ import annotations

import os
import re

from edge_client.camera.decoded import DecodedCapture
from edge_client.camera.quiet import quiet_cv2
from shared.errors import RunError

SCHEMES = ("rtsp://", "rtsps://", "http://", "https://")

_OPEN_TIMEOUT_MS = 10_000
_READ_TIMEOUT_MS = 5_000


class NetworkStream(DecodedCapture):
    """A stream by its address.

    Args:
        url: begins with one of `SCHEMES`. A user and password in it are used and never shown.
    """

    live = True
    still = False
    interval_s = 0.0

    def __init__(self, url: str) -> None:
        super().__init__()
        self.title = without_password(url)
        self.name = f"stream {self.title}"
        self._url = url

    def open(self) -> None:
        """Connect, and make sure that there is a picture."""
        # By TCP, because a lost UDP packet smears half a picture. A person's own choice of options stands.
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")
        cv2 = quiet_cv2()
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _READ_TIMEOUT_MS]
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)
        if not self._begin(capture):
            raise RunError(f"{self.name} gives no picture; is the address right, and the camera on?")


def without_password(url: str) -> str:
    """Return an address without the user and password in it."""
    return re.sub(r"//[^/@]*@", "//", url)
