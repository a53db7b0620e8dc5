"""What a person is told of a device's learning."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_client.learning import Learning
from shared.errors import StorageError

ROUND = {"event": "round", "run": "r", "round": 1, "rounds": 9, "attempt": 1, "phase": "open"}
INVITED = ROUND | {"invited": True, "reason": ""}
TRAINED = {"run": "r", "round": 1, "samples": 220, "train_s": 3.2, "holdout_before": 0.5, "holdout_after": 0.75}


def told(learning: Learning, *events: dict[str, Any]) -> dict[str, Any]:
    """What it comes to after these events."""
    for event in events:
        learning.observe(event)
    return learning.snapshot()


def test_a_round_is_followed_from_invitation_to_verdict() -> None:
    """Activity, progress and the own round are at every step what the events say."""
    learning = Learning(device="kitchen", fleet="home")
    before = told(learning, {"event": "connected", "broker": "b", "session": 1}, INVITED)
    assert (before["connected"], before["invited"], before["activity"], before["history"]) == (True, True, "idle", [])
    assert told(learning, {"event": "fetching", "round": 1, "bytes": 9})["activity"] == "fetching"
    waiting = told(learning, {"event": "waiting", "reason": "it is 9 o'clock"})
    assert (waiting["activity"], waiting["reason"]) == ("waiting", "it is 9 o'clock")
    training = told(
        learning, {"event": "training", "round": 1, "epochs": 2}, {"event": "progress", "batch": 3, "batches": 8}
    )
    assert (training["activity"], training["reason"]) == ("training", "")
    assert training["progress"] == {"batch": 3, "batches": 8}
    uploading = told(learning, {"event": "trained"} | TRAINED)
    assert (uploading["activity"], uploading["progress"]) == ("uploading", None)
    assert uploading["history"] == [TRAINED | {"verdict": None, "reason": None}]
    done = told(learning, {"event": "verdict", "run": "r", "round": 1, "verdict": "accepted", "reason": ""})
    assert done["activity"] == "idle"
    assert done["history"] == [TRAINED | {"verdict": "accepted", "reason": ""}]
    assert json.loads(json.dumps(done)) == done


@pytest.mark.parametrize("said", ["adopted", "kept_out"])
def test_a_device_that_has_fetched_the_last_weights_is_done(said: str) -> None:
    """When the run is finished, what was fetched ends with the check on the hold-out; before, it begins a training."""
    learning = Learning(device="kitchen", fleet="home")
    for phase, activity in (("open", "fetching"), ("finished", "idle")):
        fetching = told(learning, INVITED | {"phase": phase}, {"event": "fetching", "round": 1, "bytes": 9})
        assert fetching["activity"] == "fetching"
        assert told(learning, {"event": said, "run": "r", "rounds": 1})["activity"] == activity


def test_a_round_opened_again_finds_the_device_at_work() -> None:
    """Another attempt at the same round changes nothing; another round, or the end of the run, makes it idle."""
    learning = Learning()
    training = {"event": "training", "round": 1, "epochs": 2}
    assert told(learning, INVITED, training, INVITED | {"attempt": 2})["activity"] == "training"
    assert told(learning, INVITED | {"round": 2})["activity"] == "idle"
    assert told(learning, training, ROUND | {"phase": "closed", "invited": True, "reason": ""})["activity"] == "idle"


def test_why_nothing_is_learnt_is_said() -> None:
    """A failure, a lost connection, and samples that are of no use each have their reason."""
    learning = Learning()
    failed = told(learning, INVITED, {"event": "failed", "run": "r", "round": 1, "reason": "no memory"})
    assert (failed["activity"], failed["reason"], failed["history"][0]["verdict"]) == ("failed", "no memory", "failed")
    useless = told(learning, ROUND | {"round": 2, "invited": False, "reason": "it holds no samples"})
    assert (useless["activity"], useless["reason"]) == ("idle", "it holds no samples")
    lost = told(learning, {"event": "disconnected", "reason": "the broker is gone"})
    assert (lost["connected"], lost["reason"]) == (False, "the broker is gone")


def test_the_switch_and_the_rounds_outlive_a_restart(tmp_path: Path) -> None:
    """Paused stays paused, and the history goes on; only so many rounds are kept."""
    first = Learning(path=tmp_path / "learning.json", kept_rounds=5)
    first.load()
    switched: list[bool] = []
    first.on_switch(switched.append)
    first.pause()
    first.pause()
    assert (switched, first.paused) == ([True], True)
    for number in range(8):
        first.observe({"event": "trained"} | TRAINED | {"round": number})
    second = Learning(path=tmp_path / "learning.json")
    second.load()
    found = second.snapshot()
    assert found["paused"]
    assert [own["round"] for own in found["history"]] == [3, 4, 5, 6, 7]
    second.resume()
    third = Learning(path=tmp_path / "learning.json")
    third.load()
    assert not third.paused


@pytest.mark.parametrize("content", ["", "[]", '{"history": 3, "paused": true}', "\x00"])
def test_a_broken_file_is_passed_over(tmp_path: Path, content: str) -> None:
    """A device whose file was damaged begins anew, and not paused."""
    (tmp_path / "learning.json").write_text(content)
    learning = Learning(path=tmp_path / "learning.json")
    learning.load()
    assert (learning.paused, learning.snapshot()["history"]) == (False, [])


def test_a_switch_that_cannot_be_kept_is_not_thrown(tmp_path: Path) -> None:
    """Where the folder cannot be written, pausing fails in words; a round is followed all the same."""
    (tmp_path / "file").write_text("")
    learning = Learning(path=tmp_path / "file" / "learning.json")
    with pytest.raises(StorageError, match="cannot write"):
        learning.pause()
    assert not learning.paused
    assert told(learning, {"event": "trained"} | TRAINED)["activity"] == "uploading"


def test_who_waits_is_woken_by_the_next_change() -> None:
    """A wait ends with news, or at its deadline with none."""
    learning = Learning()
    version = learning.wait(-1, timeout_s=0)
    assert learning.wait(version, timeout_s=0.01) == version
    thread = threading.Timer(0.05, learning.reads_with, ["abc"], {"origin": "shipped"})
    thread.start()
    assert learning.wait(version, timeout_s=20) > version
    assert learning.reading == {"sha256": "abc", "run": "", "rounds": 0, "origin": "shipped"}
    assert learning.wait(version, timeout_s=0) > version
    learning.observe({"event": "a kind of a later version"})
    thread.join()
