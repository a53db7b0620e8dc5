"""A page that shows next to nothing: what is tried here goes for every page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.web.assets import ASSETS, Asset
from shared.web.news import Feed, Topic
from shared.web.page import Page
from shared.web.request_body import read_json
from shared.web.server import PageServer

OWN = {"index.html": Asset(b"<!doctype html>", "text/html"), "app.js": Asset(b"", "text/javascript")}


async def _thing(request: Request) -> Response:
    return JSONResponse(await read_json(request) if request.method == "POST" else {"thing": 7})


async def _broken(request: Request) -> Response:
    raise ZeroDivisionError("secret detail")


def _routes(closing: asyncio.Event) -> Sequence[Route]:
    feed = Feed(lambda: [Topic("thing", 0, lambda: {"thing": 7})], closing=closing)
    return [
        Route("/api/thing", _thing, methods=["GET", "POST"]),
        Route("/api/broken", _broken, methods=["GET"]),
        Route("/api/news", feed.answer, methods=["GET"]),
    ]


@pytest.fixture(scope="session")
def page() -> Page:
    """A page with files and addresses of its own."""
    return Page(ASSETS | OWN, _routes)


@pytest.fixture(scope="package")
def troubles() -> list[str]:
    """What the page has complained about; no test leaves anything in it."""
    return []


@pytest.fixture(scope="package")
def server(page: Page, troubles: list[str]) -> Iterator[PageServer]:
    """The page, open to this machine alone."""
    with PageServer(page, trouble=troubles.append) as started:
        yield started


@pytest.fixture
def client(server: PageServer) -> Iterator[httpx.Client]:
    """A program that speaks with the page."""
    with httpx.Client(base_url=server.url, timeout=60) as opened:
        yield opened
