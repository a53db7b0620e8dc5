"""The device itself: what it is, what it learns, what its camera sees, and the news of all that as it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edge_client.page.backend import Backend
from edge_client.page.drawing import MOST_POINTS, MOST_STROKES, PEN_WIDTH
from edge_client.page.news import News
from edge_client.page.reading_routes import PHOTO_BYTES
from edge_client.page.refusal import RefusedError
from edge_client.page.request_body import read_json

MOST_LISTENERS = 16
"""So many browsers may listen to the news at once."""

_LOOK_S = 0.2  # news comes at most five times a second: a person reads no faster
_BEAT_S = 15.0  # a comment now and then tells whether anybody still listens
_FRAME_WAIT_S = 5.0


class _Counted(StreamingResponse):
    """An answer that is counted from when it is given, before anything else can be asked, until it has ended."""

    def __init__(self, content: AsyncIterator[str], *, count: Callable[[int], None], media_type: str) -> None:
        super().__init__(content, media_type=media_type)
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._count(1)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._count(-1)


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
        self._closing = closing
        self._listeners = 0
        self._frame_threads = anyio.CapacityLimiter(MOST_LISTENERS)

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/api/device", self.device, methods=["GET"]),
            Route("/api/news", self.news, methods=["GET"]),
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

    async def news(self, request: Request) -> Response:
        """Tell what changes, as server-sent events (HTML standard, section 9.2)."""
        if self._listeners >= MOST_LISTENERS:
            raise RefusedError(503, "too many pages are open on this device; close one")
        return _Counted(self._stream(), count=self._count, media_type="text/event-stream")

    def _count(self, more: int) -> None:
        self._listeners += more

    async def _stream(self) -> AsyncIterator[str]:
        told: dict[str, Any] = {}
        quiet_s = 0.0
        while not self._closing.is_set():
            quiet_s += _LOOK_S
            for event, version, tell in await anyio.to_thread.run_sync(self._versions):
                if told.get(event, ...) != version:
                    told[event] = version
                    data = await anyio.to_thread.run_sync(tell)
                    yield f"event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
                    quiet_s = 0.0
            if quiet_s >= _BEAT_S:
                yield ": still here\n\n"
                quiet_s = 0.0
            with anyio.move_on_after(_LOOK_S):
                await self._closing.wait()

    def _versions(self) -> list[tuple[str, Any, Any]]:
        return [
            ("learning", self._backend.learning.wait(-1, timeout_s=0), self._news.learning),
            ("samples", self._news.version, self._news.samples),
            ("live", self._news.live_version, self._news.live),
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
