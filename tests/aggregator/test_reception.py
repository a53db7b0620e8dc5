"""What becomes of the words of devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aggregator.acceptance import Bounds
from aggregator.engine import RoundEngine, RunPlan
from aggregator.events import EventLog
from aggregator.reception import Reception
from aggregator.settings import AggregatorSettings
from shared.labels import label_set
from shared.messages import DeviceState
from shared.mqtt import Message
from shared.topics import Topics


def test_a_device_that_comes_and_goes_without_end_fills_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of its changes are told in a round, and that of another device as well; in the next round again.

    Those of all devices together are bounded too: whoever invents names finds no way round.
    """
    monkeypatch.setattr("aggregator.reception._MOST_CHANGES_OF_ALL_SAID", 150)
    told: list[dict[str, Any]] = []
    nothing: Any = None  # presence asks neither the store nor the sender
    with EventLog(tmp_path, listener=told.append) as log:
        reception = Reception(
            AggregatorSettings(fleet="school", folder=tmp_path),
            run="r",
            labels=label_set("arithmetic"),
            bounds=Bounds(max_bytes=1),
            store=nothing,
            sender=nothing,
            log=log,
            clock=lambda: 0.0,
        )
        view = RoundEngine(RunPlan(rounds=1)).view

        def say(device: str, *, online: bool) -> None:
            state = DeviceState(online=online, session=1, samples={"1": 3}).encode()
            message = Message(Topics("school").device_state(device), state, False, 1)
            reception.message(message, view=view, base_sha256="0" * 64)

        for _ in range(300):
            say("flap", online=True)
            say("flap", online=False)
        say("ann", online=True)
        assert [event["device"] for event in told] == ["flap"] * 100 + ["ann"]
        assert reception.online == ["ann"]
        reception.round_opened(2)
        say("flap", online=True)
        assert told[-1]["device"] == "flap"
        for number in range(300):
            say(f"d{number}", online=True)
            topic = Topics("school").device_state(f"d{number}")
            reception.message(Message(topic, b"", False, 1), view=view, base_sha256="0" * 64)
        assert len(told) == 101 + 150
        assert reception.online == ["ann", "flap"]
