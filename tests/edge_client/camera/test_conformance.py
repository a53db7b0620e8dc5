"""One suite over every kind of source; the two that need hardware stand on a stand-in for their library."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.camera.capture import Capture
from edge_client.camera.picamera import PiCamera
from edge_client.camera.source import Source
from edge_client.camera.stills import Stills
from edge_client.camera.stream import NetworkStream
from edge_client.camera.v4l2 import V4l2Camera
from edge_client.camera.video import VideoFile
from tests.edge_client.camera.mjpeg_server import LEVELS, MjpegServer

WAIT_S = 60.0


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


def a_video(path: Path) -> Path:
    """Write a video of four pictures, each of one grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (64, 48))
    for level in LEVELS:
        writer.write(grey(level))
    writer.release()
    return path


class FakePicamera2:
    """The part of Picamera2 that is used, with pictures of ours; there is no such camera here."""

    def __init__(self, index: int) -> None:
        self._count = -1
        self._running = False

    def create_video_configuration(self, main: dict[str, object]) -> dict[str, object]:
        assert main["format"] == "RGB888"
        return main

    def configure(self, configuration: dict[str, object]) -> None:
        assert configuration["size"] == (64, 48)

    def start(self) -> None:
        self._running = True

    def capture_array(self, name: str) -> NDArray[np.uint8]:
        assert self._running
        self._count += 1
        return grey(LEVELS[self._count % len(LEVELS)])

    def close(self) -> None:
        self._running = False


class FakeVideoCapture:
    """The part of `cv2.VideoCapture` that is used for a camera of Linux; there is no such camera here."""

    def __init__(self, device: str, backend: int) -> None:
        assert device == "/dev/zero"
        assert backend == cv2.CAP_V4L2
        self._count = -1
        self._wishes: dict[int, float] = {}

    def set(self, wish: int, value: float) -> bool:
        self._wishes[wish] = value
        return True

    def read(self) -> tuple[bool, NDArray[np.uint8]]:
        assert self._wishes[cv2.CAP_PROP_FRAME_WIDTH] == 64
        assert self._wishes[cv2.CAP_PROP_FRAME_HEIGHT] == 48
        self._count += 1
        return True, grey(LEVELS[self._count % len(LEVELS)])

    def release(self) -> None:
        self._wishes.clear()


@dataclass(frozen=True)
class Kind:
    """One kind of source: how to make its capture anew, and the greys of its pictures, over and over if it is live."""

    capture: Callable[[], Capture]
    levels: tuple[int, ...] = LEVELS


@pytest.fixture(params=["video", "folder", "picture", "stream", "camera", "picamera"])
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kind]:
    """Every kind of source in turn."""
    with ExitStack() as stack:
        if request.param == "video":
            video = a_video(tmp_path / "100% of: it.avi")
            yield Kind(lambda: VideoFile(video))
        elif request.param in ("folder", "picture"):
            for i, level in enumerate(LEVELS):
                cv2.imwrite(str(tmp_path / f"page {i + 8}.png"), grey(level))
            (tmp_path / "notes.txt").write_text("no picture")
            if request.param == "folder":
                yield Kind(lambda: Stills(tmp_path, pace_s=0.001))
            else:
                yield Kind(lambda: Stills(tmp_path / "page 8.png", pace_s=0.001), LEVELS[:1])
        elif request.param == "stream":
            server = stack.enter_context(MjpegServer())
            yield Kind(lambda: NetworkStream(server.url))
        elif request.param == "camera":
            monkeypatch.setattr(cv2, "VideoCapture", FakeVideoCapture)
            yield Kind(lambda: V4l2Camera(Path("/dev/zero"), size=(64, 48)))
        else:
            module = types.ModuleType("picamera2")
            module.Picamera2 = FakePicamera2  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, "picamera2", module)
            yield Kind(lambda: PiCamera(size=(64, 48)))


def levels(capture: Capture, count: int) -> list[int]:
    """The greys of the next pictures, each rounded to the level that was meant; fewer where there are no more."""
    found = []
    for _ in range(count):
        picture = capture.next()
        if picture is None:
            break
        assert picture.dtype == np.uint8
        assert picture.shape == (48, 64, 3)
        found.append(min(LEVELS, key=lambda level: abs(level - float(picture.mean()))))
    return found


def test_pictures_come_in_their_order(kind: Kind) -> None:
    """Each picture comes once, whole, in colour, and in the order it was taken or named."""
    capture = kind.capture()
    capture.open()
    assert levels(capture, len(kind.levels)) == list(kind.levels)
    capture.close()


def test_what_has_an_end_ends_and_what_is_live_does_not(kind: Kind) -> None:
    """A file has no more pictures than it holds; a camera goes on."""
    capture = kind.capture()
    capture.open()
    found = levels(capture, 12)
    assert len(found) == (12 if capture.live else len(kind.levels))
    capture.close()


def test_it_can_be_opened_again(kind: Kind) -> None:
    """Opening begins anew, also after closing; closing twice is no error."""
    capture = kind.capture()
    capture.open()
    first = levels(capture, 1)
    if capture.live:
        capture.close()
    capture.open()
    assert levels(capture, 1) == first
    capture.close()
    capture.close()


@pytest.mark.parametrize("kind", ["video", "folder"], indirect=True)
def test_pictures_can_be_passed_over(kind: Kind) -> None:
    """A film that is behind leaves pictures out."""
    capture = kind.capture()
    capture.open()
    first = capture.next(skip=2)
    assert first is not None
    assert abs(float(first.mean()) - LEVELS[2]) < 6
    assert capture.next(skip=2) is None
    capture.close()


def test_the_name_is_a_line_for_people(kind: Kind) -> None:
    """A name is never empty, and shows no password."""
    name = kind.capture().name
    assert name
    assert "\n" not in name
    assert "secret" not in name


def test_a_source_gives_its_pictures(kind: Kind) -> None:
    """As a source, started and stopped, it gives frames whose numbers and times grow."""
    with Source(kind.capture()) as source:
        first = source.read(timeout_s=WAIT_S)
        second = source.read(timeout_s=WAIT_S)
        assert first is not None
        assert second is None or (second.number > first.number and second.at_s >= first.at_s)
        assert source.trouble == ""


@pytest.mark.parametrize("kind", ["video", "folder", "picture"], indirect=True)
def test_every_picture_can_be_had(kind: Kind) -> None:
    """Where every picture is wanted, none of a file's is dropped."""
    source = Source(kind.capture(), every=True)
    with source:
        found = []
        while (frame := source.read(timeout_s=WAIT_S)) is not None:
            found.append(frame.number)
        assert source.ended
    assert found == list(range(len(kind.levels)))
