"""News for whoever looks at a page: what changes is told as it changes, as server-sent events (HTML standard, 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.web.refusal import RefusedError

MOST_LISTENERS = 16
"""So many browsers may listen to the news at once."""

_LOOK_S = 0.2  # news comes at most five times a second: a person reads no faster
_BEAT_S = 15.0  # a comment now and then tells whether anybody still listens


@dataclass(frozen=True)
class Topic:
    """Something that changes.

    Attributes:
        event: its name.
        version: differs whenever there is something new to tell.
        tell: says how it is now, in what JSON has; called on a thread of its own.
    """

    event: str
    version: Any
    tell: Callable[[], Any]


class Feed:
    """Tells every listener how all topics are, and then what changes.

    Args:
        topics: says how things are; called on a thread of its own.
        closing: set when the page ends.
    """

    def __init__(self, topics: Callable[[], Sequence[Topic]], *, closing: asyncio.Event) -> None:
        self._topics = topics
        self._closing = closing
        self._listeners = 0

    async def answer(self, request: Request) -> Response:
        """Answer with the news, for as long as they are listened to."""
        if self._listeners >= MOST_LISTENERS:
            raise RefusedError(503, "too many of these pages are open; close one")
        return _Counted(self._stream(), count=self._count, media_type="text/event-stream")

    def _count(self, more: int) -> None:
        self._listeners += more

    async def _stream(self) -> AsyncIterator[str]:
        told: dict[str, Any] = {}
        quiet_s = 0.0
        while not self._closing.is_set():
            quiet_s += _LOOK_S
            for topic in await anyio.to_thread.run_sync(self._topics):
                if told.get(topic.event, ...) != topic.version:
                    told[topic.event] = topic.version
                    data = await anyio.to_thread.run_sync(topic.tell)
                    yield f"event: {topic.event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
                    quiet_s = 0.0
            if quiet_s >= _BEAT_S:
                yield ": still here\n\n"
                quiet_s = 0.0
            with anyio.move_on_after(_LOOK_S):
                await self._closing.wait()


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
