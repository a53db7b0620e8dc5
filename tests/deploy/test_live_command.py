"""``inkfleet live``: what it prints, what ends it, and what it says where it cannot begin."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import deploy.cli as cli
from edge_client.live import window as window_module
from edge_client.live.window import NoWindowError
from tests.reading_scenes import draw_scene

WAIT_S = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two expressions, an empty sheet and a file that is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, line in (("1.png", "1+2"), ("2.png", "3x+7=22"), ("10.png", None)):
        scene = draw_scene(*([line] if line else []), seed=3, width=640, height=360, symbol_px=60)
        cv2.imwrite(str(folder / name), scene.picture)
    (folder / "3.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a sheet with one expression, and a second of an empty one."""
    path = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 12.0, (640, 360))
    for lines in (["1+2"], []):
        scene = draw_scene(*lines, seed=3, width=640, height=360, symbol_px=60, noise=0)
        for _ in range(12):
            writer.write(scene.picture)
    writer.release()
    return path


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the machine has, there is no display, and the user's own folder is left alone."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def run(*arguments: str) -> int:
    """Run the command in this process; return its exit code."""
    try:
        cli.main(["live", *arguments])
    except SystemExit as ended:
        return int(str(ended.code))
    return 0


def lines_of(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_folder_is_read_picture_by_picture(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON: a line a picture in natural order, with the value; what is no picture is said on stderr."""
    assert run("--source", str(pictures), "--no-page", "--json") == 0
    captured = capsys.readouterr()
    read = lines_of(captured.out)
    assert [Path(line["file"]).name for line in read] == ["1.png", "2.png", "10.png"]
    assert [[line["text"] for line in said["lines"]] for said in read] == [["1+2"], ["3x+7=22"], []]
    assert [line["value"] for said in read for line in said["lines"]] == ["3", "x = 5"]
    assert set(read[0]["lines"][0]) == {"text", "latex", "value", "confidence", "box", "symbols"}
    assert f"{pictures / '3.jpg'}" in captured.err


def test_a_video_is_read_to_its_end(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every change of what is stable is a line; the end of the video is the end of the command."""
    assert run("--source", str(video), "--no-page", "--json") == 0
    read = lines_of(capsys.readouterr().out)
    assert [[line["text"] for line in said["lines"]] for said in read] == [["1+2"], []]
    assert read[0]["time_s"] <= read[1]["time_s"]


def test_a_person_reads_plain_lines(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is read, with its value and how sure it is; that there is no window, and that the video has ended."""
    assert run("--source", str(video), "--no-page") == 0
    out = capsys.readouterr().out
    assert re.search(r"^\d\d:\d\d:\d\d 1\+2   = 3   \(\d+% sure\)$", out, re.MULTILINE)
    assert "no window: there is no display" in out
    assert f"video {video} has ended" in out


def test_a_picture_that_is_none_is_the_commands_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing at all could be seen, the command fails, and says the reason once."""
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert run("--source", str(tmp_path / "a.png"), "--no-page", "--no-window") == 3
    captured = capsys.readouterr()
    assert captured.out.count("is no picture") == 1
    assert captured.err.splitlines() == [f"inkfleet: picture {tmp_path / 'a.png'} gave no picture that can be read"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--source", "nosuch.mp4"], 3, "no such file or folder"),
        (["--source", "ftp://host/a"], 2, "expected a camera"),
        (["--source", "99"], 8, "camera /dev/video99 is not there"),
        (["--source", "picamera"], 8, "python3-picamera2"),
        (["--labels", "greek"], 2, "no label set"),
        (["--weights", "nosuch.safetensors"], 4, "nosuch.safetensors"),
        (["--page", "--page-host", "0.0.0.0"], 2, "set a token"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str],
    code: int,
    says: str,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each mistake has its exit code and one line on stderr."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    source = [] if "--source" in arguments else ["--source", str(video)]
    page = [] if "--page" in arguments else ["--no-page"]
    assert run(*arguments, *source, *page, "--no-window") == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert says in said[0]


class ScriptedWindow:
    """A window whose keys come from the test; it counts what it is shown."""

    def __init__(self, *keys: str, closes: bool = False) -> None:
        self.closed = False
        self.shown = 0
        self.put_away = False
        self._keys = list(keys)
        self._closes = closes

    def show(self, picture: np.ndarray[Any, Any]) -> None:
        assert picture.shape == (360, 640, 3)
        self.shown += 1

    def pressed(self) -> list[str]:
        if self.shown and self._closes:
            self.closed = True
        return [self._keys.pop(0)] if self.shown and self._keys else []

    def close(self) -> None:
        self.put_away = True


@pytest.mark.parametrize(
    "window",
    [ScriptedWindow("q"), ScriptedWindow("a", "escape"), ScriptedWindow(closes=True)],
    ids=["q", "escape", "closed"],
)
def test_a_window_shows_it_until_a_person_has_had_enough(
    window: ScriptedWindow, video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a window there is no page; q, Escape and closing it end the command, though the video goes on."""
    monkeypatch.setattr(window_module, "open_window", lambda title: window)
    assert run("--source", str(video), "--loop") == 0
    assert window.shown
    assert window.put_away
    assert "page:" not in capsys.readouterr().out


def test_space_pauses_and_goes_on(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time it pauses, the second it goes on."""
    from edge_client.live import LiveReader

    paused: list[bool] = []
    pause = LiveReader.pause

    def noted(live: LiveReader, on: bool = True) -> None:
        paused.append(on)
        pause(live, on)

    monkeypatch.setattr(LiveReader, "pause", noted)
    monkeypatch.setattr(window_module, "open_window", lambda title: ScriptedWindow("space", "space", "q"))
    assert run("--source", str(video), "--loop") == 0
    assert paused == [True, False]


def test_a_display_that_refuses_leaves_the_page(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is said, then where the page is; as JSON, both on stderr, and the end of the video ends it all."""

    def refused(title: str) -> None:
        raise NoWindowError("the display cannot be used")

    monkeypatch.setattr(window_module, "open_window", refused)
    assert run("--source", str(video), "--json") == 0
    captured = capsys.readouterr()
    assert "no window: the display cannot be used" in captured.err
    assert re.search(r"^page: http://127\.0\.0\.1:\d+/$", captured.err, re.MULTILINE)
    assert lines_of(captured.out)


def test_the_page_stays_until_ctrl_c(video: Path, tmp_path: Path) -> None:
    """The page's address is printed once; after the video it is still there; Ctrl-C ends it without a traceback."""
    command = [sys.executable, "-m", "deploy", "live", "--source", str(video), "--page-port", "0"]
    command += ["--folder", str(tmp_path / "store")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        seen = []
        while "has ended" not in (line := process.stdout.readline()):
            assert line, "the command has ended"
            seen.append(line)
        pages = [found[1] for line in seen if (found := re.search(r"page: (\S+)", line))]
        assert len(pages) == 1
        with urllib.request.urlopen(pages[0], timeout=WAIT_S) as answer:
            assert answer.status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WAIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors.strip() == "interrupted"
    assert (tmp_path / "store" / "samples.sqlite").exists()


def test_a_closed_pipe_ends_it(video: Path) -> None:
    """``inkfleet live … | head -1`` ends by itself, quietly."""
    command = [sys.executable, "-m", "deploy", "live", "--source", str(video), "--json", "--no-page", "--loop"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=WAIT_S)
        assert process.stderr is not None
        errors = process.stderr.read()
        process.stderr.close()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert "Traceback" not in errors
