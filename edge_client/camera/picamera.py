"""The Raspberry Pi's camera modules, by Picamera2 (libcamera)."""

from __future__ import annotations

from typing import Any

from edge_client.camera.frame import Picture
from shared.errors import RunError

_INSTALL = (
    "install it with: sudo apt install python3-picamera2, and make Inkfleet's virtual environment with "
    "python3 -m venv --system-site-packages"
)


class PiCamera:
    """The camera module of a Raspberry Pi.

    Args:
        size: the width and height of the pictures, in pixels.
        index: which camera, where there are two.
    """

    live = True
    still = False
    interval_s = 0.0

    def __init__(self, *, size: tuple[int, int], index: int = 0) -> None:
        self.title = f"picamera{index or ''}"
        self.name = f"picamera {index}" if index else "picamera"
        self._size = size
        self._index = index
        self._camera: Any = None

    def open(self) -> None:
        """Take and start the camera."""
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise RunError(f"{self.name} needs Picamera2, which is not here ({error}); {_INSTALL}") from None
        camera = None
        try:
            camera = Picamera2(self._index)
            # "RGB888" of libcamera is B, G, R in memory, which is what OpenCV takes.
            camera.configure(camera.create_video_configuration(main={"size": self._size, "format": "RGB888"}))
            camera.start()
        except Exception as error:  # libcamera raises IndexError for an absent camera, RuntimeError for one in use
            if camera is not None:
                camera.close()
            absent = isinstance(error, IndexError)
            why = "no camera is connected" if absent else f"{error}; another program may be using it"
            raise RunError(f"{self.name} cannot be opened: {why}") from None
        self._camera = camera

    def next(self, *, skip: int = 0) -> Picture | None:
        """Wait for the next picture; None once the camera is gone."""
        try:
            picture: Picture = self._camera.capture_array("main")
        except Exception:  # whatever libcamera makes of a pulled cable
            return None
        return picture

    def close(self) -> None:
        """Let go of the camera."""
        if self._camera is not None:
            camera, self._camera = self._camera, None
            camera.close()
