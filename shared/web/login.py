"""Letting a browser in that has the token."""

from __future__ import annotations

import math
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.web.assets import ASSETS
from shared.web.keyring import Guesses, Keyring
from shared.web.refusal import RefusedError
from shared.web.request_body import read_body

_KEPT_S = 90 * 24 * 3600
_MOST_BYTES = 4096


def login_page(*, status: int = 200, wrong: bool = False) -> Response:
    """Return the page that asks for the token."""
    markup = ASSETS["login.html"].body.replace(b"{{trouble}}", b"This is not the token." if wrong else b"")
    # A form's origin is told only under this policy, and the login is checked by it.
    return Response(markup, status, media_type="text/html", headers={"referrer-policy": "same-origin"})


class Door:
    """Takes tokens and hands out the cookie.

    Args:
        keyring: the token.
        guesses: who was wrong lately.
    """

    def __init__(self, keyring: Keyring, *, guesses: Guesses) -> None:
        self._keyring = keyring
        self._guesses = guesses

    async def by_form(self, request: Request) -> Response:
        """Answer the login form."""
        fields = parse_qs((await read_body(request, most_bytes=_MOST_BYTES)).decode("utf-8", "replace"))
        return self._let_in(request, (fields.get("token") or [""])[0])

    def by_address(self, request: Request) -> Response:
        """Answer ``/?token=…``: the token leaves the address bar at once.

        Raises:
            RefusedError: a frame or a picture of some page asks: it would guess in a visitor's name.
        """
        if request.headers.get("sec-fetch-dest", "document") != "document":
            raise RefusedError(403, "the token is taken from the address of a window, and of nothing in it")
        return self._let_in(request, request.query_params.get("token", ""))

    def _let_in(self, request: Request, token: str) -> Response:
        if not self._keyring.needed:
            return RedirectResponse("/", 303)
        address = request.client.host if request.client else ""
        wait_s = self._guesses.wait_s(address)
        if wait_s > 0:
            left = math.ceil(wait_s)
            raise RefusedError(429, f"too many wrong tokens; wait {left} s", headers={"retry-after": str(left)})
        if not self._keyring.opens(token):
            self._guesses.count(address)
            return login_page(status=401, wrong=True)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            self._keyring.cookie_name,
            self._keyring.cookie,
            max_age=_KEPT_S,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer
