"""A reading as the browser is told it: as the command line says it, and what a page needs besides."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Bar, Raised, Row
from edge_client.page.backend import Value
from edge_client.page.shelf import Shelved, ink_key
from edge_client.reading.result import Line, Symbol
from edge_client.reading_json import line_json, symbol_json
from edge_client.vision.trace import Picture

_ALTERNATIVES = 9
_INK_PX = 72


def reading_json(shelved: Shelved, values: Sequence[Value | None]) -> dict[str, Any]:
    """Say what was read, and what a person has said about it; see ``docs/reference/page-api.md``."""
    reading = shelved.reading
    told = []
    for line, value in zip(reading.lines, values, strict=True):
        symbols = [_symbol(shelved, symbol) for symbol in line.symbols]
        sure: dict[str, Any] = {"confidences": [symbol["confidence"] for symbol in symbols]}
        if all(symbol["said"] for symbol in symbols):
            sure["confidence"] = 1.0
        told.append(shown_line(line, value) | sure | {"symbols": symbols})
    return {
        "id": shelved.id,
        "revision": shelved.revision,
        "origin": shelved.origin,
        "width": reading.width,
        "height": reading.height,
        "picture": f"/api/readings/{shelved.id}/picture" if shelved.picture else None,
        "lines": told,
    }


def shown_line(line: Line, value: Value | None) -> dict[str, Any]:
    """Say what a line is and how to set it, without what it was read from."""
    return line_json(line, value) | {
        "kind": None if value is None else value.kind,
        "row": row_json(line.row),
        "labels": [symbol.label for symbol in line.symbols],
        "confidences": [round(symbol.confidence, 4) for symbol in line.symbols],
    }


def _symbol(shelved: Shelved, symbol: Symbol) -> dict[str, Any]:
    key = ink_key(symbol.ink)
    # Of what a person has said there is no doubt.
    sure = {"confidence": 1.0} if key in shelved.said else {}
    return symbol_json(replace(symbol, alternatives=symbol.alternatives[:_ALTERNATIVES])) | {
        **sure,
        "picture": ink_url(symbol.ink.mask),
        "said": key in shelved.said,
        "learnt": key in shelved.learnt,
    }


def row_json(row: Row) -> list[Any]:
    """Say how a line is laid out: the index of a symbol, ``{"raised"}``, or ``{"bar", "over", "under"}``."""
    told: list[Any] = []
    for part in row:
        if isinstance(part, Raised):
            told.append({"raised": row_json(part.inner)})
        elif isinstance(part, Bar):
            told.append({"bar": part.symbol, "over": row_json(part.numerator), "under": row_json(part.denominator)})
        else:
            told.append(part.symbol)
    return told


def ink_png(ink: NDArray[np.uint8]) -> bytes:
    """Encode ink 255 on paper 0 as a PNG with black ink on transparent paper, for light and dark pages."""
    import cv2

    pixels = np.zeros((*ink.shape, 4), np.uint8)
    pixels[:, :, 3] = ink
    return bytes(cv2.imencode(".png", pixels)[1])


def ink_url(mask: NDArray[np.uint8]) -> str:
    """Make a small picture of some ink as it was written, as a ``data:`` address."""
    import cv2

    scale = min(1.0, _INK_PX / max(mask.shape))
    size = max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale))
    small = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)
    return "data:image/png;base64," + base64.b64encode(ink_png(small)).decode()


def jpeg_of(picture: Picture, *, longest_px: int = 1600) -> bytes:
    """Encode a picture for looking at it: a JPEG with at most so many pixels on its longer side."""
    import cv2

    scale = longest_px / max(picture.shape[:2])
    if scale < 1:
        size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
