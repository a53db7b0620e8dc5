"""What is known of a run while it goes on, and what a person sees of it."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from deploy.simulate.progress import Progress
from deploy.simulate.view import View, reopened_line, sparkline

ROUND: dict[str, Any] = {
    "event": "round",
    "partition": "writer",
    "round": 1,
    "accuracy": 0.8125,
    "loss": 0.5,
    "participants": 2,
    "samples": 100,
    "wall_s": 4.0,
    "bytes_up": 3_000_000,
    "bytes_down": 3_100_000,
}


def opened(number: int, *, attempt: int = 1) -> dict[str, Any]:
    return {"event": "opened", "round": number, "rounds": 4, "attempt": attempt, "invited": ["a", "b"], "quorum": 2}


def update(device: str, verdict: str = "accepted") -> dict[str, Any]:
    return {"event": "update", "device": device, "verdict": verdict}


def progress_of(*events: tuple[float, dict[str, Any]]) -> Progress:
    progress = Progress("writer", 4, ("a", "b", "c"))
    for now, event in events:
        progress.take(event, now=now)
    return progress


def test_updates_count_towards_their_round_only() -> None:
    """A rejected update counts nothing; a new round begins with none; a second attempt keeps what came."""
    progress = progress_of((0, opened(1)), (1, update("a")), (2, update("b", "rejected")), (3, opened(1, attempt=2)))
    assert progress.received == {"a"}
    assert progress.share() == 0.125
    progress.take({"event": "closed", "round": 1}, now=4)
    progress.take(opened(2), now=4)
    assert progress.received == set()
    assert progress.share() == 0.25


def test_the_time_left_follows_the_rounds_so_far() -> None:
    """No guess before the first round is over; then as long as those before took."""
    assert progress_of((10, opened(1))).left_s(now=12) is None
    progress = progress_of((10, opened(1)), (15, {"event": "closed", "round": 1}), (15, opened(2)))
    assert progress.left_s(now=15) == 15.0


def test_a_resumed_run_does_not_count_what_was_done_before() -> None:
    """The speed is that of this session's rounds."""
    progress = progress_of((0, opened(3)), (6, {"event": "closed", "round": 3}))
    assert progress.left_s(now=6) == 6.0


def test_what_devices_do_is_what_they_report() -> None:
    """An update that is there shows, and a device that nobody hears of is away."""
    progress = progress_of((0, opened(1)), (1, update("a")))
    assert progress.activity({"a": "idle", "b": "training"}) == {"a": "done", "b": "training", "c": "away"}


def test_an_event_of_a_newer_version_changes_nothing() -> None:
    """Unknown kinds are passed over."""
    before = progress_of((0, opened(1)))
    after = progress_of((0, opened(1)), (1, {"event": "dance"}), (1, {}))
    assert before == after


def shown(*, terminal: bool, devices: int = 3) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    names = tuple(f"device-{i:03d}" for i in range(devices))
    now = iter(range(10_000))
    with View(Progress("iid", 4, names), console=console, broker="a broker", clock=lambda: float(next(now))) as view:
        view.event(opened(1))
        view.tick(dict.fromkeys(names, "training"))
        view.event({"event": "closed", "round": 1})
        view.event(ROUND)
        view.tick(dict.fromkeys(names, "idle"))
    return stream.getvalue()


def test_without_a_terminal_there_is_a_line_a_round() -> None:
    """A log gets plain lines: no drawing, no control characters."""
    text = shown(terminal=False)
    assert text.splitlines()[0] == "IID: 3 devices through a broker"
    assert len(text.splitlines()) == 2
    assert "round 1 of 4: accuracy 81.2" in text
    assert "\x1b" not in text


def test_where_the_page_is_is_said_once() -> None:
    """An aggregator that was started again at the same place says nothing new."""
    stream = io.StringIO()
    with View(Progress("iid", 4, ("a",)), console=Console(file=stream, width=100), broker="a broker") as view:
        for url in ("http://127.0.0.1:8421/", "http://127.0.0.1:8421/", "http://127.0.0.1:9/"):
            view.event({"event": "page", "url": url, "token": False})
    assert stream.getvalue().splitlines()[1:] == [
        "the fleet's page: http://127.0.0.1:8421/",
        "the fleet's page: http://127.0.0.1:9/",
    ]


def test_a_round_that_is_opened_again_says_who_is_missing() -> None:
    """A stall has a name, also in a log."""
    progress = progress_of((0, opened(1)), (1, update("a")), (3, opened(1, attempt=2)))
    assert reopened_line(progress) == "round 1 is opened again (attempt 2): no update of b came in time"


def test_on_a_terminal_devices_and_rounds_are_drawn() -> None:
    """A few devices are named with what they do; of many there is a mark each and a count."""
    few = shown(terminal=True)
    assert "device-001 training" in few
    assert "81.2" in few
    many = shown(terminal=True, devices=100)
    assert "100 training" in many
    assert "device-001" not in many


def test_a_sparkline_rises_with_the_accuracy() -> None:
    """From the lowest block to the highest."""
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"
