"""What is remembered of what an aggregator says: bounded, and of every device the last."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.page import chronicle as chronicle_module
from aggregator.page.chronicle import KEPT_EVENTS, KEPT_ROUNDS, Chronicle, LastUpdate
from aggregator.page.past import rounds_of, updates_of


def _update(device: str, round_number: int, verdict: str = "accepted", reason: str = "") -> dict[str, Any]:
    fields = {"round": round_number, "samples": 5, "received": 1, "of": 2, "metrics": {}}
    return {"event": "update", "device": device, "verdict": verdict, "reason": reason, **fields}


def _round(number: int, **more: Any) -> dict[str, Any]:
    fields = {"accuracy": 0.5, "participants": 2, "samples": 10, "wall_s": 1.0, "bytes_up": 1, "bytes_down": 1}
    return {"event": "round", "run": "r", "round": number, **fields, **more}


def test_the_last_update_of_a_device_is_remembered() -> None:
    """What comes twice or too late says nothing new of a device of which more is known."""
    chronicle = Chronicle(clock=lambda: 7.0)
    chronicle.take(_update("hall", 1))
    chronicle.take(_update("hall", 1, "duplicate"))
    assert chronicle.updates() == {"hall": LastUpdate(1, 5, "accepted", "", 7.0)}
    chronicle.take(_update("hall", 2, "rejected", "not finite"))
    assert chronicle.updates()["hall"].reason == "not finite"


def test_nothing_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of events, rounds and devices the last ones are kept."""
    monkeypatch.setattr(chronicle_module, "KEPT_DEVICES", 20)
    chronicle = Chronicle()
    for number in range(1, KEPT_ROUNDS + 10):
        chronicle.take(_round(number))
        chronicle.take(_update(f"device-{number}", number))
    assert len(chronicle.entries()) == KEPT_EVENTS
    assert [line["round"] for line in chronicle.rounds()] == list(range(10, KEPT_ROUNDS + 10))
    assert list(chronicle.updates()) == [f"device-{number}" for number in range(KEPT_ROUNDS - 10, KEPT_ROUNDS + 10)]


def test_what_was_before_comes_before() -> None:
    """Rounds and updates of the past are put before those that were heard of meanwhile, and replace none."""
    chronicle = Chronicle()
    chronicle.take(_round(3, accuracy=0.9))
    chronicle.take(_update("hall", 3))
    past = [_round(1), _round(2), _round(3, accuracy=0.1)]
    chronicle.fill(past, [("hall", LastUpdate(2, 5, "accepted")), ("shed", LastUpdate(1, 5, "accepted"))])
    assert [(line["round"], line["accuracy"]) for line in chronicle.rounds()] == [(1, 0.5), (2, 0.5), (3, 0.9)]
    assert {name: update.round for name, update in chronicle.updates().items()} == {"hall": 3, "shed": 1}


@pytest.mark.parametrize(
    ("event", "trouble"),
    [
        (_update("hall", 1), False),
        (_update("hall", 1, "duplicate"), False),
        (_update("hall", 1, "rejected", "not finite"), True),
        ({"event": "broker", "connected": False, "reason": "gone"}, True),
        ({"event": "broker", "connected": True, "reason": ""}, False),
        ({"event": "rested", "device": "hall", "failures": 2, "until": 4, "reason": "full"}, True),
        ({"event": "device", "device": "hall", "online": True, "devices": 1}, False),
        (_round(1, aggregation={"suspects": {"hall": "far from all others"}}), True),
    ],
)
def test_what_a_person_should_look_at(event: dict[str, Any], trouble: bool) -> None:
    """It is marked, and said in words."""
    chronicle = Chronicle()
    chronicle.take(event)
    (entry,) = chronicle.entries()
    assert entry.trouble is trouble
    assert entry.words


def test_a_folder_without_a_past(tmp_path: Any) -> None:
    """Where nothing was, or what was is damaged, nothing is shown of it."""
    assert list(rounds_of(tmp_path, "r")) == []
    assert updates_of(tmp_path, "r") == []
    (tmp_path / "metrics.jsonl").write_bytes(b'{"run": "r", "round": 1}\n[]\n{"run": "x", "round": 1}\n\xff{"run"')
    (tmp_path / "aggregator.sqlite3").write_bytes(b"no database" * 500)
    assert list(rounds_of(tmp_path, "r")) == [{"run": "r", "round": 1}]
    assert updates_of(tmp_path, "r") == []
