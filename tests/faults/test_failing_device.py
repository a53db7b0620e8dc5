"""A device that fails in every round."""

from __future__ import annotations

from tests.faults.process_fleet import Fleet


def test_a_device_that_always_fails_rests_and_the_rounds_go_on(fleet: Fleet) -> None:
    """It is invited to rounds 1 and 2, rests in 3, and fails again in 4; that is said, and no round waits for it."""
    fleet.device("a")
    failing = fleet.device("b")
    # Its folder of updates is a file: nothing it trains can be kept.
    failing.device.folder.outbox.write_bytes(b"")
    aggregator = fleet.aggregator(rounds=4, quorum=1, deadline_s=600.0)
    summary = aggregator.end()
    assert summary.finished
    first: dict[int, list[str]] = {}
    for event in aggregator.all:
        if event["event"] == "opened":
            first.setdefault(event["round"], event["invited"])
    assert first == {1: ["a", "b"], 2: ["a", "b"], 3: ["a"], 4: ["a", "b"]}
    rested = [event for event in aggregator.all if event["event"] == "rested"]
    assert [(event["device"], event["failures"], event["until"]) for event in rested] == [("b", 2, 3), ("b", 3, 6)]
    assert "outbox" in rested[0]["reason"]
