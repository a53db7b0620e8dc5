"""A camera of Linux (Video4Linux 2): most USB cameras, and a Raspberry Pi's older stack."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from edge_client.camera.decoded import DecodedCapture
from edge_client.camera.quiet import quiet_cv2
from shared.errors import RunError

_READ_TIMEOUT_S = "5"


class V4l2Camera(DecodedCapture):
    """A camera by its device file, such as ``/dev/video0``.

    It is asked for Motion JPEG, because few USB cameras have room on the bus for 30 raw pictures of 1280×720 a second.

    Args:
        device: the device file.
        size: the width and height wished for, in pixels; the camera gives what comes closest.
    """

    live = True
    still = False
    interval_s = 0.0

    def __init__(self, device: Path, *, size: tuple[int, int]) -> None:
        super().__init__()
        self.title = str(device)
        self.name = f"camera {device}"
        self._device = device
        self._size = size

    def open(self) -> None:
        """Take the camera, and make sure that it gives a picture."""
        check_device(self._device, name=self.name)
        # OpenCV does not open a camera of Linux at all if it is given CAP_PROP_READ_TIMEOUT_MSEC.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", _READ_TIMEOUT_S)
        cv2 = quiet_cv2()
        width, height = self._size
        capture = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if not self._begin(capture):
            raise RunError(f"{self.name} gives no picture{_who_holds(self._device)}")


def check_device(device: Path, *, name: str) -> None:
    """Make sure that a camera can be opened, without switching it on; OpenCV would only say that it cannot.

    Raises:
        RunError: it is not there, no device, forbidden or in use; one line that says what to do.
    """
    try:
        mode = device.stat().st_mode
    except OSError:
        others = sorted(str(path) for path in device.parent.glob("video*")) if device.parent.is_dir() else []
        there = f"there are {', '.join(others)}" if others else "no camera is connected"
        raise RunError(f"{name} is not there; {there}") from None
    if not stat.S_ISCHR(mode):
        raise RunError(f"{name} is no device")
    try:
        os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise RunError(f"{name} may not be opened; add this user to the group video and log in again") from None
        held = _who_holds(device) if error.errno == errno.EBUSY else ""
        raise RunError(f"{name} cannot be opened: {error.strerror}{held}") from None


def _who_holds(device: Path) -> str:
    """Name another process that has the camera open, as far as this user may see."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.parts[2] == str(os.getpid()) or link.readlink() != device.resolve():
                continue
            program = Path("/proc", link.parts[2], "comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        return f"; {program} (process {link.parts[2]}) is using it"
    return "; another program may be using it, or it is no camera"
