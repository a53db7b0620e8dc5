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
        lasts: whether what is told is the same for as long as the version is; then it is put together once for all who
            listen.
    """

    event: str
    version: Any
    tell: Callable[[], Any]
    lasts: bool = False


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
        self._told: dict[str, tuple[Any, str]] = {}
        self._telling = anyio.Lock()

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
        last = False
        while not last:
            # What happened just before the end is told as well.
            last = self._closing.is_set()
            quiet_s += _LOOK_S
            for topic in await anyio.to_thread.run_sync(self._topics):
                if told.get(topic.event, ...) != topic.version:
                    told[topic.event] = topic.version
                    yield await self._tell(topic)
                    quiet_s = 0.0
            if quiet_s >= _BEAT_S:
                yield ": still here\n\n"
                quiet_s = 0.0
            with anyio.move_on_after(_LOOK_S):
                await self._closing.wait()

    async def _tell(self, topic: Topic) -> str:
        if not topic.lasts:
            return await anyio.to_thread.run_sync(_in_full, topic)
        async with self._telling:
            version, told = self._told.get(topic.event, (..., ""))
            if version != topic.version:
                told = await anyio.to_thread.run_sync(_in_full, topic)
                self._told[topic.event] = topic.version, told
            return told


def _in_full(topic: Topic) -> str:
    return f"event: {topic.event}\ndata: {json.dumps(topic.tell(), separators=(',', ':'))}\n\n"


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
