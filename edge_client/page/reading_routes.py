"""Reading drawings, photographs and the frame of this moment; and putting what was read right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_client.page import proof
from edge_client.page.backend import Backend
from edge_client.page.desk import Desk
from edge_client.page.drawing import DRAWING_BYTES, Drawing, drawing_from
from edge_client.page.news import News
from edge_client.page.reading_json import jpeg_of, reading_json
from edge_client.page.shelf import Shelf, Shelved
from edge_client.pictures import decode_picture
from edge_client.reading.result import Reading
from edge_client.vision.trace import Picture
from shared.labels import canonical_label
from shared.web.refusal import RefusedError
from shared.web.request_body import read_body, read_json, whole, words

PHOTO_BYTES = 16 * 1024 * 1024
"""Room for a photograph: phones make 2 to 12 MB of it."""

PHOTO_ROOM_BYTES = 50_000_000
"""Room for decoding one: 8 megapixels as they are, a larger JPEG at a half or a quarter of its size."""

MOST_UPLOADS = 2
"""So many photographs may come in at once: each is kept in memory until it is read."""

Step = Callable[[Shelved], Shelved]


class ReadingRoutes:
    """Answers what is asked about readings.

    Args:
        backend: the parts of the device.
        desk: where readings wait for their turn.
        news: told when samples were added.
    """

    def __init__(self, backend: Backend, *, desk: Desk, news: News) -> None:
        self._backend = backend
        self._reader = backend.recogniser
        self._desk = desk
        self._news = news
        self._shelf = Shelf()
        self._uploads = 0

    def routes(self) -> list[Route]:
        """Return the addresses."""
        one = "/api/readings/{id}"
        return [
            Route("/api/drawings", self.draw, methods=["POST"]),
            Route("/api/photos", self.photo, methods=["POST"]),
            Route("/api/live/freeze", self.freeze, methods=["POST"]),
            Route(one, self.show, methods=["GET"]),
            Route(f"{one}/picture", self.picture, methods=["GET"]),
            Route(f"{one}/confirm", self.confirm, methods=["POST"]),
            Route(f"{one}/right", self.right, methods=["POST"]),
            Route(f"{one}/split", self.split, methods=["POST"]),
            Route(f"{one}/join", self.join, methods=["POST"]),
            Route(f"{one}/discard", self.discard, methods=["POST"]),
            Route(f"{one}/undo", self.undo, methods=["POST"]),
        ]

    # -- what is read -------------------------------------------------------------------------------------------------

    async def draw(self, request: Request) -> Response:
        """Read a drawing; a name of a reading says that it is that drawing with more in it."""
        body = await read_json(request, most_bytes=DRAWING_BYTES)
        drawing = drawing_from(body)
        before = self._shelf.find(words(body, "reading")) if "reading" in body else None
        if before is not None and before.origin != "canvas":
            raise RefusedError(409, "this reading is not of a drawing")
        return JSONResponse(await self._desk.do(partial(self._read_drawing, drawing, before)))

    async def photo(self, request: Request) -> Response:
        """Read a photograph, sent as it is."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            raise RefusedError(415, f"expected a picture, got content of type {kind[:64] or 'none'}")
        if self._uploads >= MOST_UPLOADS:
            raise RefusedError(
                503,
                "too many pictures are coming in; try again in a moment",
                headers={"retry-after": "1", "connection": "close"},
            )
        self._uploads += 1
        try:
            data = await read_body(request, most_bytes=PHOTO_BYTES)
            return JSONResponse(await self._desk.do(partial(self._read_photo, data)))
        finally:
            self._uploads -= 1

    async def freeze(self, request: Request) -> Response:
        """Keep what the camera shows at this moment, to be put right."""
        await read_json(request)
        if self._backend.live is None:
            raise RefusedError(404, "this device has no camera")
        frame = self._backend.live.latest()
        if frame is None or frame.reading is None or not frame.reading.lines:
            raise RefusedError(409, "nothing is read at this moment; hold the writing still in front of the camera")
        return JSONResponse(await self._desk.do(partial(self._keep, frame.reading, frame.raw, origin="camera")))

    async def show(self, request: Request) -> Response:
        """Tell a reading again."""
        shelved = self._find(request)
        return JSONResponse(await self._desk.do(partial(self._tell, shelved)))

    async def picture(self, request: Request) -> Response:
        """Give the picture that was read."""
        shelved = self._find(request)
        if not shelved.picture:
            raise RefusedError(404, "this reading has no picture")
        return Response(shelved.picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    # -- what a person says -------------------------------------------------------------------------------------------

    async def confirm(self, request: Request) -> Response:
        """Take the label of a symbol."""
        body = await read_json(request)
        line, symbol, label = whole(body, "line"), whole(body, "symbol"), canonical_label(words(body, "label"))
        return await self._change(
            request, body, lambda reading: proof.confirm(reading, self._reader, line=line, symbol=symbol, label=label)
        )

    async def right(self, request: Request) -> Response:
        """Take a whole line as it was read."""
        body = await read_json(request)
        line = whole(body, "line")
        return await self._change(request, body, lambda reading: proof.confirm_line(reading, line=line))

    async def split(self, request: Request) -> Response:
        """Cut a symbol in two."""
        body = await read_json(request)
        line, symbol = whole(body, "line"), whole(body, "symbol")
        return await self._change(
            request, body, lambda reading: proof.split(reading, self._reader, line=line, symbol=symbol)
        )

    async def join(self, request: Request) -> Response:
        """Make one symbol of several."""
        body = await read_json(request)
        line, symbols = whole(body, "line"), body.get("symbols")
        if not isinstance(symbols, list) or len(symbols) > 16 or any(type(one) is not int for one in symbols):
            raise RefusedError(400, "expected 'symbols' as a list of at most 16 whole numbers")
        return await self._change(
            request, body, lambda reading: proof.join(reading, self._reader, line=line, symbols=symbols)
        )

    async def discard(self, request: Request) -> Response:
        """Throw a symbol away."""
        body = await read_json(request)
        line, symbol = whole(body, "line"), whole(body, "symbol")
        return await self._change(
            request, body, lambda reading: proof.discard(reading, self._reader, line=line, symbol=symbol)
        )

    async def undo(self, request: Request) -> Response:
        """Take the last step back."""
        return await self._change(request, await read_json(request), proof.undo)

    # -- on the desk's thread -----------------------------------------------------------------------------------------

    def _read_drawing(self, drawing: Drawing, before: Shelved | None) -> dict[str, Any]:
        reading = self._reader.read(drawing.picture(), all_is_maths=True)
        if before is None:
            return self._tell(self._shelf.put(reading, origin="canvas"))
        before = self._shelf.find(before.id) or before
        now = proof.carried_over(before, replace(before, reading=reading), self._reader)
        return self._tell(self._shelf.keep(now))

    def _read_photo(self, data: bytes) -> dict[str, Any]:
        picture = decode_picture(data, name="this file", room_bytes=PHOTO_ROOM_BYTES)
        return self._keep(self._reader.read(picture), picture, origin="photo")

    def _keep(self, reading: Reading, picture: Picture, *, origin: str) -> dict[str, Any]:
        return self._tell(self._shelf.put(reading, origin=origin, picture=jpeg_of(picture)))

    def _tell(self, shelved: Shelved) -> dict[str, Any]:
        values = self._backend.solver.values(line.row for line in shelved.reading.lines)
        return {"reading": reading_json(shelved, values)}

    async def _change(self, request: Request, body: dict[str, Any], step: Step) -> Response:
        revision = whole(body, "revision")
        return JSONResponse(await self._desk.do(partial(self._changed, request.path_params["id"], revision, step)))

    def _changed(self, name: str, revision: int, step: Step) -> dict[str, Any]:
        before = self._shelf.find(name)
        if before is None:
            raise _gone()
        if before.revision != revision:
            raise RefusedError(409, "this reading has changed meanwhile; look at it again")
        try:
            after = step(before)
        except proof.NoSuchSymbolError as error:
            raise RefusedError(404, str(error)) from None
        learnt = proof.samples_to_learn(before, after)
        if step is not proof.undo:
            after = after.after(before)
        # First the store, then the shelf: what could not be stored can be said again.
        added = self._backend.corrections.add(learnt, source=before.origin) if learnt else None
        told = self._tell(self._shelf.keep(after))
        told["added"] = {
            "added": added.added if added else 0,
            "alike": (added.alike + added.known) if added else 0,
            "replaced": added.replaced if added else 0,
        }
        if added:
            self._news.samples_changed()
        told["today"] = self._news.added_today()
        return told

    def _find(self, request: Request) -> Shelved:
        shelved = self._shelf.find(request.path_params["id"])
        if shelved is None:
            raise _gone()
        return shelved


def _gone() -> RefusedError:
    return RefusedError(404, "this reading is no longer kept; read it again")
