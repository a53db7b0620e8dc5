"""What the doctor says of cameras, displays and ports: what is there, and what goes without."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from deploy.cli.doctor_reading import check_camera, check_display, check_port
from edge_client import page


def test_cameras_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a camera there is a note; with one, how to try it; with one that cannot be opened, why."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert check_camera(tmp_path).verdict == "note"
    (tmp_path / "video2").symlink_to("/dev/null")
    found = check_camera(tmp_path)
    assert (found.verdict, str(tmp_path / "video2") in found.says) == ("ok", True)
    (tmp_path / "video10").touch()
    found = check_camera(tmp_path)
    assert (found.verdict, "video10 is no device" in found.says) == ("note", True)


def test_a_display_is_looked_for() -> None:
    """Without one, the page is named instead."""
    assert "page" in check_display({}).says
    assert check_display({}).verdict == "note"
    assert check_display({"DISPLAY": ":0"}).says != check_display({}).says


def test_a_port_that_is_taken_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page can be had elsewhere."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(page, "DEFAULT_PORT", other.getsockname()[1])
        other.listen()
        assert check_port().verdict == "note"
