"""What a request carries, within bounds: so many bytes, in so much time, of the kind that is expected."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from shared.web.refusal import RefusedError

BODY_DEADLINE_S = 30.0
"""A body that takes longer to come is given up."""

SMALL_BYTES = 16 * 1024
"""Room for a request that says no more of its size."""

_DISCARDED = 4
"""So many times the limit is read and thrown away, so that a browser hears the answer and not a broken line."""


async def read_body(request: Request, *, most_bytes: int) -> bytes:
    """Read the body.

    Raises:
        RefusedError: it is larger, or does not come in time.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most_bytes * _DISCARDED:
        raise _too_large(most_bytes)
    taken: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most_bytes:
                    taken.append(chunk)
                elif size > most_bytes * _DISCARDED:
                    break
                else:
                    taken.clear()
    except TimeoutError:
        raise RefusedError(408, f"the request did not come whole within {BODY_DEADLINE_S:g} s; send it again") from None
    except ClientDisconnect:
        raise RefusedError(400, "the request broke off") from None
    if size > most_bytes:
        raise _too_large(most_bytes)
    return b"".join(taken)


async def read_json(request: Request, *, most_bytes: int = SMALL_BYTES) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        RefusedError: the content type is another, it is too large, or no JSON object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusedError(415, f"expected content of type application/json, got {kind[:64] or 'none'}")
    data = await read_body(request, most_bytes=most_bytes)
    try:
        value = json.loads(data, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise RefusedError(400, "the request is not JSON") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "expected a JSON object")
    return value


def whole(body: dict[str, Any], key: str, *, least: int = 0, most: int = 1 << 31) -> int:
    """Return a whole number of a JSON object.

    Raises:
        RefusedError: it is missing, of another type, or outside its range.
    """
    value = body.get(key)
    if type(value) is not int or not least <= value <= most:
        raise RefusedError(400, f"expected {key!r} as a whole number from {least} to {most}")
    return value


def words(body: dict[str, Any], key: str, *, most: int = 64) -> str:
    """Return a text of a JSON object.

    Raises:
        RefusedError: it is missing, of another type, empty or too long.
    """
    value = body.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise RefusedError(400, f"expected {key!r} as a text of 1 to {most} characters")
    return value


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _too_large(most_bytes: int) -> RefusedError:
    size = f"{most_bytes // (1024 * 1024)} MiB" if most_bytes >= 1024 * 1024 else f"{most_bytes // 1024} KiB"
    return RefusedError(413, f"the request is larger than {size}; send less", headers={"connection": "close"})
