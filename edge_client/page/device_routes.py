"""The device itself: what it is, what it learns, what its camera sees, and the news of all that as it comes."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_client.page.backend import Backend
from edge_client.page.drawing import MOST_POINTS, MOST_STROKES, PEN_WIDTH
from edge_client.page.news import News
from edge_client.page.reading_routes import PHOTO_BYTES
from shared.web.news import MOST_LISTENERS, Feed, Topic
from shared.web.refusal import RefusedError
from shared.web.request_body import read_json

_FRAME_WAIT_S = 5.0


class DeviceRoutes:
    """Answers what is asked about the device.

    Args:
        backend: the parts of the device.
        news: what is told.
        closing: set when the page ends, so that nobody is kept waiting.
    """

    def __init__(self, backend: Backend, *, news: News, closing: asyncio.Event) -> None:
        self._backend = backend
        self._news = news
        self._feed = Feed(self._topics, closing=closing)
        self._frame_threads = anyio.CapacityLimiter(MOST_LISTENERS)

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/api/device", self.device, methods=["GET"]),
            Route("/api/news", self._feed.answer, methods=["GET"]),
            Route("/api/live/frame", self.frame, methods=["GET"]),
            Route("/api/learning/pause", self.pause, methods=["POST"]),
        ]

    async def device(self, request: Request) -> Response:
        """Say what a page has to know at its start."""
        return JSONResponse(await anyio.to_thread.run_sync(self._device))

    async def pause(self, request: Request) -> Response:
        """Pause training, or go on with it."""
        wanted = (await read_json(request)).get("paused")
        if not isinstance(wanted, bool):
            raise RefusedError(400, "expected 'paused' as true or false")
        learning = self._backend.learning
        await anyio.to_thread.run_sync(learning.pause if wanted else learning.resume)
        return JSONResponse(self._news.learning())

    async def frame(self, request: Request) -> Response:
        """Give the first frame after ``after``, drawn on; whoever is slow skips those between."""
        live = self._backend.live
        if live is None:
            raise RefusedError(404, "this device has no camera")
        text = request.query_params.get("after", "0")
        if not text.isdecimal() or len(text) > 18:
            raise RefusedError(400, "expected 'after' as a whole number")
        wait = partial(live.wait, int(text), _FRAME_WAIT_S)
        frame = await anyio.to_thread.run_sync(wait, limiter=self._frame_threads, abandon_on_cancel=True)
        if frame is None or frame.seq <= int(text):
            return Response(status_code=204)
        picture = await anyio.to_thread.run_sync(live.jpeg)
        return Response(picture, media_type="image/jpeg", headers={"x-frame": str(frame.seq)})

    def _topics(self) -> list[Topic]:
        return [
            Topic("learning", self._backend.learning.wait(-1, timeout_s=0), self._news.learning),
            Topic("samples", self._news.version, self._news.samples),
            Topic("live", self._news.live_version, self._news.live),
        ]

    def _device(self) -> dict[str, Any]:
        labels = self._backend.recogniser.labels
        return {
            "labels": labels.labels,
            "label_set": labels.name,
            "pen_width": PEN_WIDTH,
            "most_strokes": MOST_STROKES,
            "most_points": MOST_POINTS,
            "photo_bytes": PHOTO_BYTES,
            "samples": self._news.samples(),
            "learning": self._news.learning(),
            "live": self._news.live(),
        }
