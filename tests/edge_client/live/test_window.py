"""A window where there is a display: tried on a real X server without a screen, where one is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from edge_client.live import window as window_module
from edge_client.live.window import NoWindowError, TkWindow, open_window

WAIT_S = 60.0


@contextmanager
def x_server() -> Iterator[str]:
    """Run an X server that draws into memory; yield its display."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed (apt-get install xvfb)")
    if subprocess.run([sys.executable, "-c", "import tkinter"], capture_output=True, check=False).returncode:
        pytest.skip("this Python has no tkinter (apt-get install python3-tk)")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as said:
            yield f":{said.readline().strip()}"
    finally:
        server.terminate()
        server.wait(WAIT_S)


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A display of this module's own."""
    with x_server() as name:
        yield name


@pytest.fixture
def window(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[TkWindow]:
    """A window on that display."""
    monkeypatch.setenv("DISPLAY", display)
    found = open_window("Inkfleet", environ={"DISPLAY": display})
    assert isinstance(found, TkWindow)
    yield found
    found.close()


def on_screen(window: TkWindow) -> tuple[int, int]:
    """The size of the window's picture once it is on the screen."""
    end = time.monotonic() + WAIT_S
    while not window._canvas.winfo_viewable():
        assert time.monotonic() < end
        window.pressed()
    window._root.update()
    return window._canvas.winfo_width(), window._canvas.winfo_height()


def test_without_a_display_there_is_no_window() -> None:
    """It is said, and nothing is touched that could abort the process."""
    with pytest.raises(NoWindowError, match="no display"):
        open_window("Inkfleet", environ={})


def test_a_display_that_is_not_there_is_an_error_and_no_abort() -> None:
    """A display that nobody serves ends in one line."""
    code = (
        "from edge_client.live.window import open_window\n"
        "from shared.errors import InkfleetError\n"
        "try:\n"
        "    open_window('Inkfleet')\n"
        "except InkfleetError as error:\n"
        "    print(error)\n"
    )
    environ = os.environ | {"DISPLAY": "127.0.0.1:99", "WAYLAND_DISPLAY": ""}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=120)
    assert len(said.stdout.splitlines()) == 1
    assert said.stderr == ""


def test_without_tk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the package."""
    monkeypatch.setitem(sys.modules, "tkinter", None)
    with pytest.raises(NoWindowError, match="python3-tk"):
        TkWindow("Inkfleet")


def test_a_picture_is_shown_as_it_is(window: TkWindow) -> None:
    """Red in the picture is red in the window: channels and rows are where they belong."""
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:50] = (0, 0, 255)
    window.show(picture)
    assert on_screen(window) == (200, 100)
    assert window._photo.get(10, 10) == (255, 0, 0)
    assert window._photo.get(10, 90) == (0, 0, 0)


def test_a_large_picture_fits_the_screen(window: TkWindow) -> None:
    """A picture of 12 megapixels is made smaller, in its proportions."""
    window.show(np.zeros((3000, 4000, 3), np.uint8))
    width, height = on_screen(window)
    assert width <= 800
    assert height <= 600
    assert width / height == pytest.approx(4 / 3, abs=0.01)


def test_keys_are_heard_once(window: TkWindow) -> None:
    """A key that was pressed is told at the next call and not again."""
    window.show(np.zeros((50, 50, 3), np.uint8))
    on_screen(window)
    window._root.focus_force()
    heard: list[str] = []
    end = time.monotonic() + WAIT_S
    while not heard:  # the focus comes when the X server gives it
        assert time.monotonic() < end
        window._root.event_generate("<KeyPress-q>")
        heard = window.pressed()
    assert set(heard) == {"q"}
    assert window.pressed() == []


def test_a_closed_window_says_so(window: TkWindow) -> None:
    """Whoever closes it is heard; closing again is no error."""
    window.show(np.zeros((50, 50, 3), np.uint8))
    on_screen(window)
    window._on_close()
    assert window.closed
    assert window.pressed() == []
    window.close()


def test_an_opencv_that_would_abort_is_not_asked(display: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's own windows are tried in another process first; where that dies, Tk is taken."""
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr(window_module, "opencv_has_windows", lambda: True)
    found = open_window("Inkfleet", environ={"DISPLAY": display})
    assert isinstance(found, TkWindow)
    found.close()


def test_the_installed_opencv_is_known_to_have_no_windows() -> None:
    """The package that Inkfleet depends on is built without."""
    assert not window_module.opencv_has_windows()
