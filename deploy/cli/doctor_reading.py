"""What reading needs of a machine: a camera, a display, a port for the page. It can do without each of them."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path

from deploy.cli.finding import Finding
from shared.errors import RunError


def check_camera(devices: Path = Path("/dev")) -> Finding:
    """Cameras that can be opened. None is switched on."""
    from edge_client.camera.v4l2 import check_device

    good, bad = [], []
    for device in sorted(devices.glob("video*"), key=lambda path: int(re.sub(r"\D", "", path.name) or 0)):
        try:
            check_device(device, name=str(device))
            good.append(str(device))
        except RunError as error:
            bad.append(str(error))
    if importlib.util.find_spec("picamera2") is not None:
        good.append("picamera")
    if bad:
        return Finding("camera", "note", "; ".join(bad))
    if not good:
        return Finding("camera", "note", "none; photographs, videos, streams and drawings are read without")
    return Finding("camera", "ok", f"{', '.join(good)}; try one: inkfleet live --source {_source(good[0])}")


def check_display(environ: Mapping[str, str] = os.environ) -> Finding:
    """A display for the window of ``inkfleet live``, and something that draws on it."""
    from edge_client.live.window import opencv_has_windows

    if not environ.get("DISPLAY") and not environ.get("WAYLAND_DISPLAY"):
        return Finding("display", "note", "none; inkfleet live shows what it reads on a page for the browser")
    if opencv_has_windows():
        return Finding("display", "ok", "with windows of OpenCV")
    if importlib.util.find_spec("tkinter") is not None:
        return Finding("display", "ok", "with windows of Tk")
    return Finding("display", "note", "nothing draws on it; install python3-tk for a window, or use the page")


def check_port() -> Finding:
    """The port that the page has unless another is asked for."""
    from edge_client.page import DEFAULT_PORT
    from shared.web.port import page_port

    if page_port("127.0.0.1", None, default=DEFAULT_PORT):
        return Finding("port", "ok", f"{DEFAULT_PORT} is free for the page")
    return Finding("port", "note", f"{DEFAULT_PORT} is taken; the page takes another, or the one of --page-port")


def _source(name: str) -> str:
    return name.removeprefix("/dev/video")
