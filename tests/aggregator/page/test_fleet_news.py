"""What the page is told of a run, and that the run never waits for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregator.page.fleet_news import FleetNews
from aggregator.page.members import Members
from aggregator.standing import Lookout
from tests.aggregator.page.conftest import DEADLINE_S, Shown, presence, standing


def _told(shown: Shown) -> dict[str, Any]:
    shown.news._again_at = float("-inf")
    return {topic.event: topic.tell() for topic in shown.news.topics()}


def test_before_the_broker_is_reached(shown: Shown) -> None:
    """There is nothing to show, and that is said without anything missing."""
    told = _told(shown)
    assert told["now"]["phase"] == "starting"
    assert told["now"]["connected"] is False
    assert told["devices"]["devices"] == told["rounds"] == told["log"] == []


def test_a_round_under_way(shown: Shown) -> None:
    """Round, updates, quorum and the time that is left."""
    shown.begin()
    now = _told(shown)["now"]
    told = {key: now[key] for key in ("phase", "round", "rounds", "invited", "received", "quorum", "committed")}
    assert told == {
        "phase": "collecting",
        "round": 3,
        "rounds": 15,
        "invited": 4,
        "received": 2,
        "quorum": 2,
        "committed": 2,
    }
    assert 0 < now["left_s"] <= 60
    assert now["weights_sha256"] == "c" * 64
    assert (now["online"], now["devices"]) == (5, 6)


def test_what_is_new_has_another_version(shown: Shown) -> None:
    """Time that passes is no news; a device that comes is, for the devices' topic and the count in the round's."""
    shown.begin()

    def versions() -> dict[str, Any]:
        shown.news._again_at = float("-inf")
        return {topic.event: topic.version for topic in shown.news.topics()}

    before = versions()
    shown.put(standing(left_s=55.0))
    assert versions() == before
    shown.put(standing({**standing().devices, "loft": presence()}))
    after = versions()
    assert {name for name in after if after[name] != before[name]} == {"now", "devices"}
    shown.say("declined", round=3, attempt=1, device="attic", reason="full")
    assert versions()["log"] != after["log"]


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """Of the broker's address, the part that anybody may know."""
    shown = Shown(tmp_path, broker="mqtts://user:secret@broker.example:8883")
    assert _told(shown)["now"]["broker"] == "broker.example:8883"


def test_who_looks_on_is_never_waited_for() -> None:
    """The loop answers only if somebody has asked, once for all who asked, and takes no lock to do so."""
    lookout = Lookout()
    taken: list[int] = []

    def take() -> Any:
        taken.append(1)
        return standing()

    lookout.answer(take)
    assert taken == []
    for _ in range(5):
        lookout.ask()
    lookout.answer(take)
    lookout.answer(take)
    assert taken == [1]
    latest = lookout.latest()
    assert latest is not None
    assert latest[1] >= 0


def test_who_asks_once_is_not_told_of_long_ago() -> None:
    """What nobody has asked for lately is waited for; where the loop does not answer, the old one has to do."""
    now = [100.0]
    lookout = Lookout(clock=lambda: now[0])
    lookout.ask()
    lookout.answer(lambda: standing(committed=2))
    over = threading.Event()

    def loop() -> None:
        while not over.wait(0.01):
            lookout.answer(lambda: standing(committed=3))

    now[0] += 3600.0
    thread = threading.Thread(target=loop)
    thread.start()
    try:
        latest = lookout.look(within_s=DEADLINE_S)
    finally:
        over.set()
        thread.join()
    assert latest is not None
    assert (latest[0].committed, latest[1]) == (3, 0.0)
    now[0] += 3600.0
    latest = lookout.look(within_s=0.0)
    assert latest is not None
    assert (latest[0].committed, latest[1]) == (3, 3600.0)


def test_many_who_look_on_cost_no_more_than_one(shown: Shown) -> None:
    """Within a moment it is put together once, and the moment is longer where that takes longer."""
    now = [100.0]
    looks: list[float] = []

    class Slow(Members):
        def look(self) -> dict[str, Any]:
            looks.append(now[0])
            now[0] += 0.5  # a fleet so large that this takes half a second
            return {}

    news = FleetNews(
        shown.settings, lookout=shown.lookout, chronicle=shown.chronicle, members=Slow(None), clock=lambda: now[0]
    )
    threads = [threading.Thread(target=news.topics) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looks == [100.0]
    now[0] = 110.0
    news.now()
    assert looks == [100.0]
    now[0] = 113.0
    news.now()
    assert looks == [100.0, 113.0]


@pytest.mark.parametrize(
    ("event", "key", "value"),
    [
        ({"event": "broker", "connected": False, "reason": "it was closed"}, "offline", "it was closed"),
        ({"event": "blocked", "reason": "the disk is full"}, "blocked", "the disk is full"),
        ({"event": "rival", "fleet": "school", "session": 2}, "rival", True),
        ({"event": "finished", "rounds": 15, "weights": "w", "weights_sha256": "c" * 64}, "finished", True),
    ],
)
def test_troubles_reach_the_page(shown: Shown, event: dict[str, Any], key: str, value: object) -> None:
    """Whatever the aggregator says of broker, disk, rivals and its end."""
    shown.begin()
    shown.chronicle.take(event)
    assert _told(shown)["now"][key] == value


def test_all_at_once(shown: Shown, client: httpx.Client) -> None:
    """A program reads everything in one request."""
    shown.begin()
    shown.say(
        "round", run="run-1", round=1, accuracy=0.5, loss=1.0, participants=2, samples=20, wall_s=1.5, bytes_up=1,
        bytes_down=2, holdout_after={"accuracy": 0.25, "loss": 1.0, "samples": 4},
        aggregation={"suspects": {"hall": "far away"}},
    )  # fmt: skip
    told = client.get("/api/fleet").json()
    assert told["rounds"] == [
        {
            "round": 1,
            "accuracy": 0.5,
            "loss": 1.0,
            "own": 0.25,
            "participants": 2,
            "samples": 20,
            "wall_s": 1.5,
            "bytes_up": 1,
            "bytes_down": 2,
            "suspects": ["hall"],
        }
    ]
    assert told["log"][0]["trouble"] is True
    assert "suspected: hall" in told["log"][0]["words"]
