"""The page's addresses, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from edge_client.page.assets import ASSETS, Asset
from edge_client.page.backend import Backend
from edge_client.page.desk import Desk
from edge_client.page.device_routes import DeviceRoutes
from edge_client.page.gate import FAULT, Gate
from edge_client.page.keyring import Guesses, Keyring
from edge_client.page.login import Door
from edge_client.page.news import News
from edge_client.page.reading_routes import ReadingRoutes
from edge_client.page.refusal import RefusedError, refusal
from edge_client.page.sample_routes import SampleRoutes
from shared.errors import DataError, InkfleetError

_STATUS_LINES = {404: "there is nothing at this address", 405: "this address does not take this kind of request"}


def application(
    backend: Backend, *, keyring: Keyring, closing: asyncio.Event, trouble: Callable[[str], None]
) -> ASGIApp:
    """Put the page together.

    Args:
        backend: the parts of the device.
        keyring: what a browser has to know.
        closing: set when the page ends.
        trouble: told in one line what went wrong.
    """
    door = Door(keyring, guesses=Guesses())
    news = News(backend)

    async def page(request: Request) -> Response:
        if "token" in request.query_params:
            return door.by_address(request)
        return _asset(request, ASSETS["index.html"])

    async def asset(request: Request) -> Response:
        found = ASSETS.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return _asset(request, found)

    routes = [
        Route("/", page, methods=["GET"]),
        Route("/login", door.by_form, methods=["POST"]),
        Route("/assets/{name}", asset, methods=["GET"]),
        *ReadingRoutes(backend, desk=Desk(), news=news).routes(),
        *SampleRoutes(backend, news=news).routes(),
        *DeviceRoutes(backend, news=news, closing=closing).routes(),
    ]
    inner = Starlette(
        routes=routes,
        exception_handlers={
            RefusedError: _refused,
            InkfleetError: _inkfleet_error,
            HTTPException: _http_error,
            Exception: _fault,
        },
    )
    inner.router.redirect_slashes = False
    return Gate(inner, keyring=keyring, trouble=trouble)


def _asset(request: Request, asset: Asset) -> Response:
    headers = {"cache-control": "no-cache", "etag": asset.etag, "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.body, media_type=asset.media_type, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


async def _inkfleet_error(request: Request, error: Exception) -> Response:
    """What was sent cannot be used, or the device itself has a fault that a person has to see to."""
    return refusal(400 if isinstance(error, DataError) else 503, str(error))


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody has foreseen; the gate tells the device of it."""
    return refusal(500, FAULT)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    line = _STATUS_LINES.get(error.status_code, str(error.detail))
    return refusal(error.status_code, line, headers=error.headers)
