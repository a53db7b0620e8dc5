"""A window for the live view, where there is a display and something that can draw on it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Protocol

from edge_client.camera.frame import Picture
from shared.errors import RunError

_PROBE_S = 20.0
_OPENCV_KEYS = {27: "escape", 32: "space"}
_FILLS = 0.9  # of the screen, at most, when the window opens


class NoWindowError(RunError):
    """There can be no window; the message says why, and what would change it."""


class Window(Protocol):
    """Shows pictures and hears keys; used by the thread that opened it."""

    closed: bool

    def show(self, picture: Picture) -> None:
        """Show a picture ``(height, width, 3) uint8``, BGR, as large as the window is."""

    def pressed(self) -> list[str]:
        """Return the keys that were pressed since the last call (``q``, ``escape``, ``space``), and keep it alive."""

    def close(self) -> None:
        """Close it."""


def open_window(title: str, *, environ: Mapping[str, str] = os.environ) -> Window:
    """Open a window: OpenCV's where the installed OpenCV has any, else one of Tk.

    Raises:
        NoWindowError: there is no display, or nothing to draw on it with.
    """
    if not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY"):
        raise NoWindowError("there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)")
    if opencv_has_windows() and _opencv_can_open():
        return OpenCvWindow(title)
    return TkWindow(title)


def opencv_has_windows() -> bool:
    """Return whether the installed OpenCV was built with windows; ``opencv-python-headless`` is not."""
    import cv2

    found = re.search(r"^\s*GUI:\s*(\S+)", cv2.getBuildInformation(), re.MULTILINE)
    return found is not None and found[1].upper() != "NONE"


def _opencv_can_open() -> bool:
    """Find out in a process of its own: where the display refuses, OpenCV aborts the process instead of raising."""
    probe = [sys.executable, "-c", "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1)"]
    try:
        return subprocess.run(probe, capture_output=True, timeout=_PROBE_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class OpenCvWindow:
    """A window of OpenCV (``opencv-python``)."""

    def __init__(self, title: str) -> None:
        import cv2

        # Qt complains to the terminal that it brings no fonts; there is no text of its own in this window.
        os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
        self.closed = False
        self._cv2: Any = cv2
        self._title = title
        self._shown = False
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, picture: Picture) -> None:
        """See `Window.show`."""
        if not self._shown:
            self._cv2.resizeWindow(self._title, picture.shape[1], picture.shape[0])
            self._shown = True
        self._cv2.imshow(self._title, picture)

    def pressed(self) -> list[str]:
        """See `Window.pressed`."""
        code = self._cv2.waitKey(1)
        if self._shown and self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) < 1:
            self.closed = True
        if code < 0:
            return []
        return [_OPENCV_KEYS.get(code & 0xFF, chr(code & 0xFF).lower())]

    def close(self) -> None:
        """See `Window.close`."""
        if not self.closed:
            self._cv2.destroyWindow(self._title)
            self.closed = True


class TkWindow:
    """A window of Tk, which comes with Python on most systems; it needs no OpenCV with windows.

    Raises:
        NoWindowError: Python has no tkinter, or the display refuses.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError:
            raise NoWindowError(
                "this OpenCV has no windows and this Python no tkinter; to have a window, install one of them "
                "(sudo apt install python3-tk)"
            ) from None
        self.closed = False
        self._heard: list[str] = []
        try:
            self._root = tkinter.Tk(className="inkfleet")
        except tkinter.TclError as error:
            raise NoWindowError(f"the display cannot be used: {error}") from None
        self._tkinter = tkinter
        self._root.title(title)
        self._root.configure(background="black")
        self._canvas = tkinter.Label(self._root, background="black", borderwidth=0)
        self._canvas.pack(fill="both", expand=True)
        self._root.bind("<Key>", lambda event: self._heard.append(event.keysym.lower()))
        self._root.protocol("WM_DELETE_WINDOW", self._on_close)
        self._photo: Any = None

    def show(self, picture: Picture) -> None:
        """See `Window.show`."""
        import cv2

        height, width = picture.shape[:2]
        if self._photo is None:
            room = _FILLS * self._root.winfo_screenwidth(), _FILLS * self._root.winfo_screenheight()
            scale = min(1.0, room[0] / width, room[1] / height)
            self._root.geometry(f"{round(width * scale)}x{round(height * scale)}")
        else:
            scale = min(self._canvas.winfo_width() / width, self._canvas.winfo_height() / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if size != (width, height):
            shrinks = scale < 1
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        data = b"P6 %d %d 255\n" % size + cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes()
        # The label shows the photo by name only: the old one must live until the new one is shown.
        photo = self._tkinter.PhotoImage(master=self._root, data=data, format="PPM")
        self._canvas.configure(image=photo)
        self._photo = photo

    def pressed(self) -> list[str]:
        """See `Window.pressed`."""
        if not self.closed:
            self._root.update()
        pressed, self._heard = self._heard, []
        return pressed

    def close(self) -> None:
        """See `Window.close`."""
        if not self.closed:
            self._on_close()

    def _on_close(self) -> None:
        self.closed = True
        self._photo = None
        self._root.destroy()
