"""``kill -9`` of a device, whatever it is doing for a round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from shared.topics import Topics
from tests.broker_fixtures import Ear
from tests.faults.process_fleet import Fleet
from tests.hasty_clock import ROUND_S, Hasty


@pytest.mark.parametrize(
    "point",
    [
        "fetching:5",
        "training",
        "uploading:8",
        "uploaded",
        pytest.param("update kept", marks=pytest.mark.soak),
        pytest.param("verdict kept", marks=pytest.mark.soak),
    ],
)
def test_killed_at_any_step_it_comes_back_and_nothing_is_lost(
    fleet: Fleet, undisturbed: str, ear: Callable[..., Ear], point: str
) -> None:
    """Restarted, it goes on where it was: no chunk that arrived goes out again, and the weights are the same."""
    end = f"{fleet.fleet}/end"
    listener = ear(fleet.broker.address).up(f"{Topics(fleet.fleet).root}/device/b/chunk/#", end)
    fleet.device("a")
    killed = fleet.device_process("b", crash_at=point)
    # A device that takes long to start again is not told ahead of its asking what is lacking.
    aggregator = fleet.aggregator(quiet_s=100.0)
    killed.expect_crash()
    back = fleet.device_process("b")
    assert aggregator.end().weights_sha256 == undisturbed
    listener.link.publish(end, b"")
    sent: Counter[str] = Counter()
    while (message := listener.next()).topic != end:
        sent[message.topic] += 1
    again = {topic: times for topic, times in sent.items() if times > 1}
    assert not again, "what the broker had passed on was not sent again"
    accepted = [(e["round"], e["device"]) for e in aggregator.all if e.get("verdict") == "accepted"]
    assert sorted(accepted) == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    trained = [event["round"] for one in (killed, back) for event in one.all if event["event"] == "trained"]
    # Whoever is ended as the update is kept has not said so.
    assert trained == ([2] if point == "update kept" else [1, 2]), "what was trained is not trained again"


def test_a_device_that_stays_dead_costs_the_round_its_deadline(fleet: Fleet) -> None:
    """With the quorum there, the round closes without it; the next one does not invite it."""
    fleet.device("a")
    killed = fleet.device_process("b", crash_at="training")
    clock = Hasty()
    aggregator = fleet.aggregator(quorum=1, deadline_s=ROUND_S, grace_s=0.1, more={"clock": clock})
    killed.expect_crash()
    aggregator.until("update", device="a", verdict="accepted")
    clock.rush(by_s=ROUND_S)
    assert aggregator.until("closed", round=1)["participants"] == 1
    assert aggregator.until("opened", round=2)["invited"] == ["a"]
    assert aggregator.end().finished
