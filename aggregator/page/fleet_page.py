"""The aggregator's page, put together. None of its addresses changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aggregator.page.fleet_news import FleetNews
from shared.web import assets
from shared.web.news import Feed
from shared.web.page import Page

ASSETS = assets.ASSETS | assets.read_assets("aggregator.page")
"""The files of the page, by name."""


def fleet_page(news: FleetNews) -> Page:
    """Return the page of an aggregator.

    Args:
        news: how its fleet is.
    """

    async def fleet(request: Request) -> Response:
        return JSONResponse(await anyio.to_thread.run_sync(lambda: {t.event: t.tell() for t in news.topics()}))

    def routes(closing: asyncio.Event) -> Sequence[Route]:
        feed = Feed(news.topics, closing=closing)
        return [
            Route("/api/fleet", fleet, methods=["GET"]),
            Route("/api/news", feed.answer, methods=["GET"]),
        ]

    return Page(ASSETS, routes)
