"""Requests that are not granted: one status, one clear line."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response


class RefusedError(Exception):
    """A request that is not granted.

    Attributes:
        status: of HTTP.
        headers: to answer with.
    """

    def __init__(self, status: int, line: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.headers = headers

    def response(self) -> Response:
        """Return what the browser is told: ``{"error": …}``."""
        return refusal(self.status, str(self), headers=self.headers)


def refusal(status: int, line: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that says in one line why a request is not granted."""
    return JSONResponse({"error": line}, status, headers=headers)
