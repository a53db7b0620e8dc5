"""The samples on this device: listed, shown, deleted, exported."""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import partial

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_client.page.backend import Backend
from edge_client.page.news import News
from edge_client.page.reading_json import ink_png
from shared.web.refusal import RefusedError
from shared.web.request_body import read_json

_MOST_LISTED = 200
_MOST_NUMBER = 1 << 62


class SampleRoutes:
    """Answers what is asked about samples.

    Args:
        backend: the parts of the device.
        news: told when samples were deleted.
    """

    def __init__(self, backend: Backend, *, news: News) -> None:
        self._backend = backend
        self._news = news

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/api/samples", self.listing, methods=["GET"]),
            Route("/api/samples", self.delete_all, methods=["DELETE"]),
            Route("/api/samples/counts", self.counts, methods=["GET"]),
            Route("/api/samples/export", self.export, methods=["GET"]),
            Route("/api/samples/{number}", self.delete, methods=["DELETE"]),
            Route("/api/samples/{number}/picture", self.picture, methods=["GET"]),
        ]

    async def counts(self, request: Request) -> Response:
        """Say how many samples there are of each label."""
        return JSONResponse(await anyio.to_thread.run_sync(self._news.samples))

    async def listing(self, request: Request) -> Response:
        """List samples, the newest first."""
        query = request.query_params
        label = query.get("label")
        offset, limit = _number(query.get("offset", "0")), min(_number(query.get("limit", "60")), _MOST_LISTED)
        found = await anyio.to_thread.run_sync(
            partial(self._backend.store.samples, label=label, offset=offset, limit=limit)
        )
        return JSONResponse({"samples": [asdict(sample) for sample in found]})

    async def picture(self, request: Request) -> Response:
        """Show one sample."""
        number = _number(request.path_params["number"])
        sample = await anyio.to_thread.run_sync(self._backend.store.image, number)
        if sample is None:
            raise RefusedError(404, f"there is no sample {number}")
        # A number is never given twice, and the picture of a sample never changes.
        headers = {"cache-control": "private, max-age=31536000, immutable"}
        return Response(ink_png(sample), media_type="image/png", headers=headers)

    async def delete(self, request: Request) -> Response:
        """Delete one sample."""
        number = _number(request.path_params["number"])
        if not await anyio.to_thread.run_sync(self._backend.corrections.delete, number):
            raise RefusedError(404, f"there is no sample {number}")
        self._news.samples_changed()
        return JSONResponse({"deleted": 1})

    async def delete_all(self, request: Request) -> Response:
        """Delete every sample; ``{"delete": "all"}`` says that it is meant."""
        if (await read_json(request)).get("delete") != "all":
            raise RefusedError(400, 'to delete every sample, send {"delete": "all"}')
        deleted = await anyio.to_thread.run_sync(self._backend.corrections.delete_all)
        self._news.samples_changed()
        return JSONResponse({"deleted": deleted})

    async def export(self, request: Request) -> Response:
        """Hand every sample to its owner, as an npz that the importers read."""
        packed = await anyio.to_thread.run_sync(self._backend.store.export)
        name = f"inkfleet-samples-{time.strftime('%Y-%m-%d')}.npz"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(packed, media_type="application/octet-stream", headers=headers)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 18 or int(text) > _MOST_NUMBER:
        raise RefusedError(400, "expected a whole number of at least 0")
    return int(text)
