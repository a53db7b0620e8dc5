"""News: so many may listen, and no more."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.routing import Route

from shared.web.news import MOST_LISTENERS, Feed, Topic
from shared.web.page import Page
from shared.web.server import PageServer


@pytest.fixture
def own_server(page: Page) -> Iterator[PageServer]:
    """A page to which nobody else has listened."""
    with PageServer(page) as server:
        yield server


@pytest.fixture
def client(own_server: PageServer) -> Iterator[httpx.Client]:
    """A program that speaks with that page."""
    with httpx.Client(base_url=own_server.url, timeout=60) as opened:
        yield opened


def test_so_many_may_listen(client: httpx.Client) -> None:
    """One browser too many hears so; when another leaves, there is room again."""
    with ExitStack() as stack:
        streams = [stack.enter_context(client.stream("GET", "/api/news")) for _ in range(MOST_LISTENERS)]
        heard = [stream.iter_lines() for stream in streams]
        assert {next(lines) for lines in heard} == {"event: thing"}
        assert stack.enter_context(client.stream("GET", "/api/news")).status_code == 503
    until = time.monotonic() + 60
    while True:
        with client.stream("GET", "/api/news") as stream:
            if stream.status_code == 200:
                break
        assert time.monotonic() < until, "a listener that has left is still counted"
        time.sleep(0.05)


def test_a_crowd_of_listeners_at_once(own_server: PageServer) -> None:
    """No more listen than may, however closely they follow each other."""
    parts = urlsplit(own_server.url)
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60))
            for _ in range(3 * MOST_LISTENERS)
        ]
        for one in crowd:
            one.sendall(b"GET /api/news HTTP/1.1\r\nHost: localhost\r\n\r\n")
        statuses = Counter(one.recv(12).split()[1] for one in crowd)
    assert statuses == {b"200": MOST_LISTENERS, b"503": 2 * MOST_LISTENERS}


def test_what_lasts_is_put_together_once(page: Page) -> None:
    """For all who listen, until there is a new version of it; what does not last is asked for each time."""
    asked: list[str] = []
    versions = {"lasting": 1, "passing": 1}

    def topics() -> list[Topic]:
        def tell(name: str) -> Callable[[], object]:
            return lambda: asked.append(name) or {"version": versions[name]}  # type: ignore[func-returns-value]

        return [Topic(name, version, tell(name), lasts=name == "lasting") for name, version in versions.items()]

    def routes(closing: asyncio.Event) -> Sequence[Route]:
        return [Route("/api/news", Feed(topics, closing=closing).answer)]

    with ExitStack() as stack:
        server = stack.enter_context(PageServer(Page(page.assets, routes)))
        client = stack.enter_context(httpx.Client(base_url=server.url, timeout=60))
        heard = [stack.enter_context(client.stream("GET", "/api/news")).iter_lines() for _ in range(3)]
        assert [next(lines) for lines in heard for _ in range(5)].count('data: {"version":1}') == 6
        assert sorted(asked) == ["lasting", "passing", "passing", "passing"]
        versions["lasting"] = 2
        assert [next(lines) for lines in heard for _ in range(3)].count('data: {"version":2}') == 3
        assert asked[4:] == ["lasting"]


def test_the_last_news_is_told(page: Page) -> None:
    """What is new when the page ends reaches those who listen, before they are let go."""
    versions = [1]

    def routes(closing: asyncio.Event) -> Sequence[Route]:
        def topics() -> list[Topic]:
            if closing.is_set():
                versions[0] = 2
            return [Topic("thing", versions[0], lambda: versions[0])]

        return [Route("/api/news", Feed(topics, closing=closing).answer)]

    server = PageServer(Page(page.assets, routes))
    server.start()
    with httpx.Client(base_url=server.url, timeout=60) as client, client.stream("GET", "/api/news") as stream:
        lines = stream.iter_lines()
        assert [next(lines), next(lines)] == ["event: thing", "data: 1"]
        server.stop()
        assert "data: 2" in list(lines)
