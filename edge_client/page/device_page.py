"""The device's page, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.routing import Route

from edge_client.page.backend import Backend
from edge_client.page.desk import Desk
from edge_client.page.device_routes import DeviceRoutes
from edge_client.page.news import News
from edge_client.page.reading_routes import ReadingRoutes
from edge_client.page.sample_routes import SampleRoutes
from shared.web import assets
from shared.web.page import Page

ASSETS = assets.ASSETS | assets.read_assets("edge_client.page")
"""The files of the page, by name."""


def device_page(backend: Backend) -> Page:
    """Return the page of a device.

    Args:
        backend: the parts of the device.
    """

    def routes(closing: asyncio.Event) -> Sequence[Route]:
        news = News(backend)
        return [
            *ReadingRoutes(backend, desk=Desk(), news=news).routes(),
            *SampleRoutes(backend, news=news).routes(),
            *DeviceRoutes(backend, news=news, closing=closing).routes(),
        ]

    return Page(ASSETS, routes)
