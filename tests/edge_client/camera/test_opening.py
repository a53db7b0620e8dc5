"""What a person writes after --source, and what is said where it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_client.camera import open_source
from edge_client.camera.v4l2 import V4l2Camera
from shared.errors import DataError, InkfleetError, RunError, SettingsError

ALONE_AT_DEV_FULL = pytest.mark.xdist_group("/dev/full")
"""Whoever else has that device open would be told of."""


def refusal(text: str) -> str:
    """What is said about a source that cannot be opened; one line."""
    with pytest.raises(InkfleetError) as caught:
        open_source(text).start()
    said = str(caught.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("text", "name", "live"),
    [
        ("0", "camera /dev/video0", True),
        ("12", "camera /dev/video12", True),
        ("/dev/video3", "camera /dev/video3", True),
        ("/dev/null", "camera /dev/null", True),
        ("picamera", "picamera", True),
        ("picamera1", "picamera 1", True),
        ("rtsp://user:secret@camera.local/live", "stream rtsp://camera.local/live", True),
        ("HTTP://camera.local/video", "stream HTTP://camera.local/video", True),
    ],
)
def test_a_text_means_a_camera(text: str, name: str, live: bool) -> None:
    """Numbers, device files, the Pi's camera and addresses; nothing is opened yet, and no password is shown."""
    source = open_source(text)
    assert (source.name, source.live) == (name, live)


def test_a_file_is_a_video_or_a_picture_by_what_it_is(tmp_path: Path) -> None:
    """A folder and a picture are stills; a video is one whatever its name ends with."""
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "b.png").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(32))
    assert open_source(str(tmp_path)).name == f"folder {tmp_path}"
    assert open_source(str(tmp_path / "a.png")).name == f"picture {tmp_path / 'a.png'}"
    assert open_source(str(tmp_path / "b.png")).name == f"video {tmp_path / 'b.png'}"


@pytest.mark.parametrize("text", ["", "  ", "ftp://host/video", "file:///etc/passwd"])
def test_a_text_without_a_meaning_is_refused(text: str) -> None:
    """The line says what a source can be."""
    with pytest.raises(SettingsError, match=r"expected a camera \(0"):
        open_source(text)


def test_a_file_that_is_not_there_is_refused() -> None:
    """It is named, and so is what else a source can be."""
    with pytest.raises(DataError, match=r"nosuch\.mp4: there is no such file or folder"):
        open_source("nosuch.mp4")


def test_an_empty_video_is_refused(tmp_path: Path) -> None:
    """A file without a byte says so."""
    (tmp_path / "a.mp4").touch()
    assert refusal(str(tmp_path / "a.mp4")).endswith("a.mp4 is empty")


@pytest.mark.parametrize("head", [b"no video at all, only words\n" * 20, b"\0\0\0\x18ftypmp42" + bytes(2000)])
def test_a_video_that_cannot_be_decoded_is_refused(head: bytes, tmp_path: Path) -> None:
    """One line says what to convert it to."""
    (tmp_path / "a.mp4").write_bytes(head)
    assert "convert it to H.264 in MP4" in refusal(str(tmp_path / "a.mp4"))


def test_a_video_without_a_picture_is_refused(tmp_path: Path) -> None:
    """A video that was opened for writing and never written to has nothing to show."""
    path = tmp_path / "a.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48)).release()
    assert "can be decoded" in refusal(str(path))


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """What is neither file nor folder is not waited for."""
    os.mkfifo(tmp_path / "a.mp4")
    assert refusal(str(tmp_path / "a.mp4")).endswith("is no file")


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    """The line says what counts as a picture."""
    (tmp_path / "notes.txt").write_text("words")
    assert "has no pictures (jpg, " in refusal(str(tmp_path))


def test_a_folder_is_read_as_a_person_counts(tmp_path: Path) -> None:
    """page-2 comes before page-10."""
    for number in (10, 2, 1):
        cv2.imwrite(str(tmp_path / f"page-{number}.png"), np.full((8, 8), number, np.uint8))
    with open_source(str(tmp_path), every=True) as source:
        frames = [frame for _ in range(3) if (frame := source.read(timeout_s=1)) is not None]
    assert [int(frame.picture[0, 0, 0]) for frame in frames] == [1, 2, 10]
    assert [frame.title for frame in frames] == [str(tmp_path / f"page-{number}.png") for number in (1, 2, 10)]


def test_an_absent_camera_is_said_with_those_that_are_there(tmp_path: Path) -> None:
    """The line names the cameras there are, or that there are none."""
    assert refusal("99").startswith("camera /dev/video99 is not there; ")
    camera = V4l2Camera(tmp_path / "video0", size=(64, 48))
    with pytest.raises(RunError, match="no camera is connected"):
        camera.open()
    (tmp_path / "video7").touch()
    with pytest.raises(RunError, match=rf"there are {tmp_path}/video7"):
        camera.open()


@ALONE_AT_DEV_FULL
def test_what_is_no_camera_is_said(tmp_path: Path) -> None:
    """A device that gives no picture is not waited for."""
    assert refusal("/dev/full") == (
        "camera /dev/full gives no picture; another program may be using it, or it is no camera"
    )
    (tmp_path / "video0").touch()
    with pytest.raises(RunError, match="is no device"):
        V4l2Camera(tmp_path / "video0", size=(64, 48)).open()


def test_a_forbidden_camera_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may not open cameras is told of the group."""

    def forbidden(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    assert "add this user to the group video" in refusal("/dev/null")


@ALONE_AT_DEV_FULL
def test_a_camera_in_use_says_who_uses_it() -> None:
    """Where the system shows it, the other program is named."""
    with Path("/dev/full").open("rb") as held, subprocess.Popen(["sleep", "60"], stdin=held) as other:
        try:
            assert refusal("/dev/full").endswith(f"; sleep (process {other.pid}) is using it")
        finally:
            other.kill()


def test_a_picamera_without_its_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with the two commands."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    said = refusal("picamera")
    assert "sudo apt install python3-picamera2" in said
    assert "--system-site-packages" in said


@pytest.mark.parametrize("error", [IndexError("list index out of range"), RuntimeError("Device or resource busy")])
def test_a_picamera_that_cannot_be_had_says_why(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """No camera connected, or one in use: what libcamera raises becomes a line."""
    import types

    def unavailable(index: int) -> None:
        raise error

    module = types.ModuleType("picamera2")
    module.Picamera2 = unavailable  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    said = refusal("picamera")
    assert ("no camera is connected" if isinstance(error, IndexError) else "resource busy") in said


def test_a_stream_that_is_not_there_says_so(unused_port: int) -> None:
    """An address where nobody answers is named without its password."""
    said = refusal(f"rtsp://user:secret@127.0.0.1:{unused_port}/live")
    assert said == (
        f"stream rtsp://127.0.0.1:{unused_port}/live gives no picture; is the address right, and the camera on?"
    )


@ALONE_AT_DEV_FULL
def test_the_decoders_write_nothing_to_the_terminal(tmp_path: Path, unused_port: int) -> None:
    """What OpenCV and FFmpeg have to say about a source stays with them; our own line is all there is."""
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    code = (
        "import sys\n"
        "from edge_client.camera import open_source\n"
        "from shared.errors import InkfleetError\n"
        "for text in sys.argv[1:]:\n"
        "    try:\n"
        "        open_source(text).start()\n"
        "    except InkfleetError as error:\n"
        "        print(error)\n"
    )
    texts = [str(tmp_path / "a.mp4"), "/dev/full", f"http://127.0.0.1:{unused_port}/", "99"]
    command = [sys.executable, "-c", code, *texts]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert said.stderr == ""
    assert len(said.stdout.splitlines()) == len(texts)
