"""``inkfleet aggregator``, as a process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregator.event_words import in_words
from aggregator.settings import AggregatorSettings
from deploy.brokers import RunningBroker
from shared.errors import SettingsError
from shared.messages import ServerState
from shared.topics import Topics


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "deploy", "aggregator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code, and the standard error of a process that ends by itself."""
    _, errors = process.communicate(timeout=400)
    assert "Traceback" not in errors
    return process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(
    number: signal.Signals,
    mosquitto: RunningBroker,
    fleet_id: str,
    ear: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Interrupted while it waits for devices: offline is published, the run is kept, the exit code is 130."""
    folder = tmp_path / "run"
    process = start("--json", "--broker", str(mosquitto.address), "--fleet", fleet_id, "--folder", str(folder))
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "listening"
    listener = ear(mosquitto.address).up(Topics(fleet_id).server_state)
    assert ServerState.model_validate_json(listener.next().payload).online
    second = start("--broker", str(mosquitto.address), "--fleet", fleet_id, "--folder", str(folder))
    code, errors = said(second)
    assert code == 8
    assert f"in use by another aggregator (process {process.pid})" in errors
    process.send_signal(number)
    code, errors = said(process)
    assert code == 130
    assert f"interrupted after 0 of 10 rounds; the run is kept in {folder}: add --resume" in errors
    assert not ServerState.model_validate_json(listener.next().payload).online
    events = [json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[0] == "listening"


def test_the_page_of_a_command(
    mosquitto: RunningBroker, fleet_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is is said first; it asks for the token, and shows the fleet while the command runs."""
    monkeypatch.setenv("INKFLEET_AGGREGATOR_TOKEN", "correct horse battery")
    place = ("--broker", str(mosquitto.address), "--fleet", fleet_id, "--folder", str(tmp_path / "run"))
    process = start("--json", "--page", "--page-port", "0", *place)
    assert process.stdout is not None
    said_first = json.loads(process.stdout.readline())
    assert (said_first["event"], said_first["token"]) == ("page", True)
    with httpx.Client(base_url=said_first["url"]) as client:
        assert client.get("/api/fleet").status_code == 401
        client.post("/login", data={"token": "correct horse battery"})
        assert client.get("/api/fleet").json()["now"]["fleet"] == fleet_id
    assert (tmp_path / "run" / "page.key").stat().st_mode & 0o777 == 0o600
    process.send_signal(signal.SIGINT)
    code, errors = said(process)
    assert code == 130
    assert "correct horse" not in errors


def test_mistakes_are_one_line(unused_port: int, tmp_path: Path) -> None:
    """A broker that is absent, and test data that is: one line each, and the exit code of its kind."""
    broker = ("--broker", f"mqtt://127.0.0.1:{unused_port}", "--connect-s", "0.2")
    absent = start(*broker, "--folder", str(tmp_path / "one"))
    no_data = start(*broker, "--folder", str(tmp_path / "two"), "--test-data", str(tmp_path / "nowhere.npz"))
    code, errors = said(absent)
    assert (code, len(errors.splitlines())) == (5, 1)
    assert str(unused_port) in errors
    code, errors = said(no_data)
    assert (code, len(errors.splitlines())) == (3, 1)
    assert "nowhere.npz" in errors


def test_a_quorum_that_cannot_be_is_refused() -> None:
    """A quorum above per_round would never be reached."""
    with pytest.raises(SettingsError, match="quorum 5 is more than the 3 devices that per_round invites"):
        AggregatorSettings.load(given={"per_round": 3, "quorum": 5}, environ={})
    with pytest.raises(SettingsError, match="--lr"):
        AggregatorSettings.load(given={"lr": float("nan")}, environ={})


def test_events_are_lines_for_a_person() -> None:
    """A person reads rounds, accuracy and reasons."""
    opened = {"event": "opened", "round": 3, "rounds": 9, "attempt": 2, "invited": ["a", "b"]}
    assert in_words(opened) == "round 3 of 9, attempt 2: 2 devices invited"
    update = {
        "event": "update", "device": "a", "verdict": "rejected", "reason": "why", "samples": 5, "received": 1, "of": 2,
    }  # fmt: skip
    assert in_words(update) == "a: update rejected, 5 samples (1 of 2): why"
    done = {
        "event": "round", "round": 3, "accuracy": 0.9512, "participants": 2, "samples": 70, "wall_s": 1.25,
        "bytes_up": 2.9e6, "bytes_down": 1.5e6,
    }  # fmt: skip
    assert in_words(done) == "round 3: accuracy 95.12%, 2 updates, 70 samples, 1.2 s, 2.9 MB up, 1.5 MB down"
    judged = {"suspects": {"b": "length of the update 9, median of the round 1"}, "notice": "the weights stay"}
    assert in_words(done | {"aggregation": judged}).splitlines()[1:] == [
        "  suspected: b: length of the update 9, median of the round 1",
        "  the weights stay",
    ]
    assert in_words({"event": "closed"}) == ""
