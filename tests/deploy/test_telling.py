"""How a command tells what happens: as JSON, in plain lines, on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from deploy.cli.telling import telling

EVENTS: list[dict[str, Any]] = [
    {"event": "begun", "what": "a run"},
    {"event": "moved", "done": 3, "total": 7},
    {"event": "ended", "what": ""},
]

ON_A_TERMINAL = """
from deploy.cli.telling import NO_BAR, Bar, telling
bar = lambda event: Bar("laps", event["done"], 7, "in the rain") if event["event"] == "moved" else NO_BAR
with telling(lambda event: "[b]said[/b]" if event["event"] == "begun" else "", as_json=False, bar=bar) as tell:
    tell({"event": "begun"})
    tell({"event": "moved", "done": 3})
"""


def test_json_has_every_event_but_those_of_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, whether or not a person would be told."""
    with telling(lambda event: "", as_json=True, only_bar=("moved",)) as tell:
        for event in EVENTS:
            tell(event)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [EVENTS[0], EVENTS[2]]


def test_plain_lines_have_the_time_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """What has words is a line; what has none, and the bar, is nothing."""
    with telling(lambda event: str(event.get("what", "")), as_json=False) as tell:
        for event in EVENTS:
            tell(event)
    (line,) = capsys.readouterr().out.splitlines()
    assert line[8:] == " a run"


def test_a_terminal_has_a_bar_below_the_lines() -> None:
    """Lines are printed as they are, brackets and all, and the bar says what, how far and the note."""
    leader, follower = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], stdout=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 65536):
                shown += piece
        except OSError:
            pass  # Linux: the last writer has gone
        assert process.wait(120) == 0
    os.close(leader)
    text = shown.decode()
    assert "[b]said[/b]" in text
    assert all(word in text for word in ("laps", "3/7", "in the rain"))
