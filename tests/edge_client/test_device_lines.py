"""What ``inkfleet device`` says to a person."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.cli.device import in_words

STARTED = {"event": "started", "device": "kitchen", "fleet": "home", "folder": "/f", "broker": "mqtt://b:1883"}
ROUND = {
    "event": "round",
    "run": "r",
    "round": 2,
    "rounds": 9,
    "attempt": 1,
    "phase": "open",
    "invited": True,
    "reason": "",
}
TRAINED = {"event": "trained", "round": 2, "samples": 1200, "train_s": 3.25}
ADOPTED = {"rounds": 3, "held": 50}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ROUND, "round 2 of 9: invited"),
        (ROUND | {"attempt": 3, "invited": False}, "round 2 of 9, attempt 3: not invited"),
        (ROUND | {"invited": False, "reason": "it holds no samples"}, "round 2 of 9: not invited: it holds no samples"),
        (ROUND | {"phase": "closed"}, ""),
        (
            TRAINED | {"holdout_before": 0.5, "holdout_after": 0.75},
            "round 2: trained on 1,200 samples in 3.2 s; own hold-out 50.0% before, 75.0% after",
        ),
        (
            TRAINED | {"holdout_before": None, "holdout_after": None},
            "round 2: trained on 1,200 samples in 3.2 s",
        ),
        ({"event": "verdict", "round": 2, "verdict": "accepted", "reason": ""}, "round 2: update accepted"),
        ({"event": "verdict", "round": 2, "verdict": "stale", "reason": "late"}, "round 2: update stale: late"),
        (
            {"event": "kept_out", "accuracy": 0.1, "accuracy_before": 0.9} | ADOPTED,
            "global weights after 3 rounds kept out: they read 10.0% of the 50 samples held out, "
            "those kept so far 90.0%",
        ),
        (
            {"event": "adopted", "accuracy": None, "accuracy_before": None} | ADOPTED,
            "global weights after 3 rounds adopted",
        ),
        ({"event": "imported", "data": "d.npz", "unchanged": True}, "d.npz has not changed since it was imported"),
        (
            {"event": "imported", "data": "d.npz", "added": 5, "known": 2, "left": 1, "notes": []},
            "d.npz: 5 samples added, 2 were there already, 1 had to leave (--max-samples)",
        ),
        ({"event": "broker", "reason": "no broker listens"}, "no connection: no broker listens (still trying)"),
        ({"event": "a kind of a later version"}, ""),
    ],
)
def test_an_event_is_one_line(event: dict[str, Any], line: str) -> None:
    """Each kind of event has its words; what a person need not read has none."""
    assert in_words(event) == line


def test_an_empty_device_says_how_to_fill_it() -> None:
    """Only a device without samples is told about --data."""
    assert "--data FILE" in in_words(STARTED | {"samples": 0})
    assert "--data" not in in_words(STARTED | {"samples": 3})
