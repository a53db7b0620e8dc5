"""Two clients with one identifier."""

from __future__ import annotations

import shutil

from tests.faults.process_fleet import Fleet


def test_two_devices_of_one_name_do_not_fight_for_long(fleet: Fleet, undisturbed: str) -> None:
    """They throw each other out at growing intervals; a line says why; the round goes on, with the same weights.

    Mosquitto 2.0 closes the older connection without a word, as a line that breaks does: only that it happens again and
    again tells the two apart.
    """
    folder = fleet.device_folder("b").path
    copy = fleet.folder / "copy"
    shutil.copytree(folder, copy)
    first = fleet.device("b")
    first.until("connected")
    second = fleet.device("b", folder=copy)
    fleet.device("a")
    assert fleet.aggregator().end().weights_sha256 == undisturbed
    reason = ""
    while "another client" not in reason:
        reason = first.until("disconnected")["reason"]
    assert f"{fleet.fleet}.b" in reason
    assert len(reason.splitlines()) == 1
    for one in (first, second):
        assert one.kinds().count("connected") <= 12, "each time the wait is longer"


def test_two_aggregators_of_one_fleet_are_told(fleet: Fleet) -> None:
    """Each has a connection of its own; the first says that there is another, and what to do."""
    first = fleet.aggregator()
    first.until("listening")
    fleet.aggregator(folder=fleet.folder / "other").until("listening")
    assert first.until("rival")["fleet"] == fleet.fleet
