"""The page of an aggregator that runs, at a real broker, with devices that speak the protocol."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx

from shared.messages import RoundManifest
from shared.web.news import MOST_LISTENERS
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.page.conftest import DEADLINE_S, Watched


class Held:
    """Holds a device back in one round, until it is let go."""

    def __init__(self, round_number: int) -> None:
        self._round = round_number
        self.there = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, manifest: RoundManifest) -> None:
        if manifest.round == self._round:
            self.there.set()
            assert self.go_on.wait(DEADLINE_S)


def _news(stream: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def _until(client: httpx.Client, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    late = time.monotonic() + DEADLINE_S
    while True:
        told: dict[str, Any] = client.get("/api/fleet").json()
        if fits(told):
            return told
        assert time.monotonic() < late, told["now"]
        time.sleep(0.05)


def test_a_run_is_shown_and_shown_again_after_a_restart(
    watch: Callable[..., Watched], devices: Callable[..., FakeDevice]
) -> None:
    """Rounds, devices, who rests and why; a resumed run shows what was before."""
    held = Held(3)
    watched = watch(rounds=4, min_devices=2, quorum=1)
    devices("good", before_upload=held)
    devices("bad", trouble="its disk is full")
    assert watched.until("page")["url"] == watched.front.url
    with httpx.Client(base_url=watched.front.url, timeout=60) as client:
        assert held.there.wait(DEADLINE_S)
        told = _until(client, lambda told: told["now"]["round"] == 3 and told["now"]["phase"] == "collecting")
        assert (told["now"]["invited"], told["now"]["received"], told["now"]["quorum"]) == (1, 0, 1)
        assert [round["round"] for round in told["rounds"]] == [1, 2]
        assert {round["participants"] for round in told["rounds"]} == {1}
        bad, good = told["devices"]["devices"]
        assert bad["state"] == "resting"
        assert bad["why"] == "until round 3, after 2 failures in a row: its disk is full"
        assert (good["last"]["round"], good["last"]["verdict"], good["samples"]) == (2, "accepted", 100)
        assert any("rests until round 3" in entry["words"] and entry["trouble"] for entry in told["log"])
    watched.end()

    again = watch(rounds=4, min_devices=2, quorum=1, resume=True)
    with httpx.Client(base_url=again.front.url, timeout=60) as client:
        told = _until(client, lambda told: told["now"]["committed"] == 2 and told["now"]["online"] == 2)
        assert [round["round"] for round in told["rounds"]] == [1, 2]
        good = next(one for one in told["devices"]["devices"] if one["name"] == "good")
        assert good["last"] == {"round": 2, "samples": 100, "verdict": "accepted", "reason": "", "unix_s": None}
        held.go_on.set()
        again.until("finished")
    assert watched.troubles == again.troubles == []


def test_news_of_a_round(watch: Callable[..., Watched], devices: Callable[..., FakeDevice]) -> None:
    """Whoever listens hears how things are, and each round when it is done; the run waits for no listener."""
    held = Held(1)
    watched = watch(rounds=2)
    devices("good", before_upload=held)
    with httpx.Client(base_url=watched.front.url, timeout=60) as client, ExitStack() as stack:
        # Those that listen and read nothing of what they are told.
        for _ in range(MOST_LISTENERS - 1):
            stack.enter_context(client.stream("GET", "/api/news"))
        events = _news(stack.enter_context(client.stream("GET", "/api/news")))
        assert {next(events)[0] for _ in range(4)} == {"now", "devices", "rounds", "log"}
        held.go_on.set()
        rounds: list[int] = []
        while rounds != [1, 2]:
            name, told = next(events)
            if name == "rounds":
                rounds = [one["round"] for one in told]
        watched.until("finished")
