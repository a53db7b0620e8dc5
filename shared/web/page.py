"""What is served, and its addresses put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from shared.errors import DataError, InkfleetError
from shared.web.assets import Asset
from shared.web.gate import FAULT, Gate
from shared.web.keyring import Guesses, Keyring
from shared.web.login import Door
from shared.web.refusal import RefusedError, refusal

_STATUS_LINES = {404: "there is nothing at this address", 405: "this address does not take this kind of request"}


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        assets: its files by name; ``index.html`` is what a browser is shown first.
        routes: makes its addresses; it is given an event that is set when the page ends, so that nobody is kept
            waiting.
    """

    assets: Mapping[str, Asset]
    routes: Callable[[asyncio.Event], Sequence[Route]]


def application(page: Page, *, keyring: Keyring, closing: asyncio.Event, trouble: Callable[[str], None]) -> ASGIApp:
    """Put a page together.

    Args:
        page: what is served.
        keyring: what a browser has to know.
        closing: set when the page ends.
        trouble: told in one line what went wrong.
    """
    door = Door(keyring, guesses=Guesses())

    async def first(request: Request) -> Response:
        if "token" in request.query_params:
            return door.by_address(request)
        return _asset(request, page.assets["index.html"])

    async def asset(request: Request) -> Response:
        found = page.assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return _asset(request, found)

    routes = [
        Route("/", first, methods=["GET"]),
        Route("/login", door.by_form, methods=["POST"]),
        Route("/assets/{name}", asset, methods=["GET"]),
        *page.routes(closing),
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
    """What was sent cannot be used, or the service behind the page has a fault that a person has to see to."""
    return refusal(400 if isinstance(error, DataError) else 503, str(error))


async def _fault(request: Request, error: Exception) -> Response:
    """What nobody has foreseen; the gate tells of it."""
    return refusal(500, FAULT)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    line = _STATUS_LINES.get(error.status_code, str(error.detail))
    return refusal(error.status_code, line, headers=error.headers)
