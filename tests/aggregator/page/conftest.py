"""A page of a fleet: one that was made up, and one of an aggregator that runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aggregator.engine import Contribution, Rest, RoundView, Wait
from aggregator.front import Front
from aggregator.page.chronicle import Chronicle
from aggregator.page.fleet_news import FleetNews
from aggregator.page.fleet_page import fleet_page
from aggregator.page.members import Members
from aggregator.registry import Presence
from aggregator.service import Aggregator
from aggregator.settings import AggregatorSettings
from aggregator.standing import Lookout, Standing
from deploy.brokers import RunningBroker
from shared.messages import Capabilities
from shared.web.server import PageServer
from tflite_models.bundle import ModelBundle

DEADLINE_S = 90.0
Event = dict[str, Any]


def presence(*, online: bool = True, activity: str = "idle", **changes: Any) -> Presence:
    """A device that has ten samples of a digit."""
    return Presence(online, 1, {"1": 10}, Capabilities(), activity, **changes)


def standing(devices: dict[str, Presence] | None = None, **changes: Any) -> Standing:
    """Round 3 collects updates for another minute; two of four are there, which is enough."""
    view = RoundView(
        "collecting",
        3,
        1,
        ("attic", "garage", "hall", "kitchen"),
        2,
        (Contribution("hall", "a" * 64, 10), Contribution("kitchen", "b" * 64, 10)),
        True,
    )
    fields: dict[str, Any] = {
        "run": "run-1",
        "round": view,
        "committed": 2,
        "weights_sha256": "c" * 64,
        "wait": Wait("2 of 4 updates", 100.0),
        "left_s": 60.0,
        "devices": devices
        if devices is not None
        else {
            "attic": presence(activity="training"),
            "cellar": presence(),
            "garage": presence(),
            "hall": presence(),
            "kitchen": presence(),
            "shed": presence(online=False),
        },
        "rests": {"cellar": Rest("cellar", 3, 2, 4, "its disk is full")},
    }
    return Standing(**(fields | changes))


class Shown:
    """A page whose fleet is made up: it shows what was put into it last."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = AggregatorSettings(**({"fleet": "school", "folder": folder, "rounds": 15} | settings))
        self.chronicle = Chronicle()
        self.lookout = Lookout()
        self.news = FleetNews(
            self.settings, lookout=self.lookout, chronicle=self.chronicle, members=Members(self.settings.identity)
        )

    def put(self, what: Standing) -> None:
        """Leave a standing, as the loop does."""
        self.lookout.ask()
        self.lookout.answer(lambda: what)

    def say(self, kind: str, **fields: Any) -> None:
        """Say an event."""
        self.chronicle.take({"event": kind, **fields})

    def begin(self) -> None:
        """Reach the broker, and leave the standing of round 3."""
        self.say("listening", run="run-1", fleet="school", round=1)
        self.put(standing())


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """A fleet that was made up; nothing has happened yet."""
    return Shown(tmp_path)


@pytest.fixture
def shown_server(shown: Shown) -> Iterator[PageServer]:
    """Its page."""
    with PageServer(fleet_page(shown.news)) as server:
        yield server


@pytest.fixture
def client(shown_server: PageServer) -> Iterator[httpx.Client]:
    """A program that speaks with that page."""
    with httpx.Client(base_url=shown_server.url, timeout=60) as opened:
        yield opened


class Watched:
    """An aggregator on a thread, with its page."""

    def __init__(self, settings: AggregatorSettings, model: ModelBundle) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.troubles: list[str] = []
        self.stop = threading.Event()
        self.front = Front(settings, tell=self.events.put, trouble=self.troubles.append)
        self._errors: list[Exception] = []
        self._aggregator = Aggregator(
            settings, model=model, test=None, on_event=self._on_event, lookout=self.front.lookout
        )
        self.front.start()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _on_event(self, event: Event) -> None:
        self.front.observe(event)
        self.events.put(event)

    def _run(self) -> None:
        try:
            self._aggregator.run(self.stop)
        except Exception as error:
            self._errors.append(error)

    def until(self, kind: str, **fields: Any) -> Event:
        """The next event of this kind with these fields."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event

    def end(self) -> None:
        """Stop both; raise what the aggregator raised."""
        self.stop.set()
        self._thread.join(DEADLINE_S)
        self.front.stop()
        assert not self._thread.is_alive()
        for error in self._errors:
            raise error


@pytest.fixture
def watch(
    mosquitto: RunningBroker, fleet_id: str, model: ModelBundle, tmp_path: Path
) -> Iterator[Callable[..., Watched]]:
    """Start aggregators with a page; they are stopped when the test is over."""
    started: list[Watched] = []

    def start(**options: Any) -> Watched:
        defaults: dict[str, Any] = {
            "broker": str(mosquitto.address),
            "fleet": fleet_id,
            "folder": tmp_path / "run",
            "gather_ms": 10,
            "grace_s": 1.0,
            "linger_s": 0.5,
            "seed": 7,
            "page": True,
            "page_port": 0,
        }
        started.append(Watched(AggregatorSettings(**(defaults | options)), model))
        return started[-1]

    yield start
    for watched in started:
        watched.end()
