"""What every request passes: is it meant for this page, does it come from this page, and is whoever sends it let in?"""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.access import is_loopback
from shared.web.assets import LOGIN_ASSETS
from shared.web.keyring import Keyring
from shared.web.login import login_page
from shared.web.pace import Pace
from shared.web.refusal import RefusedError, refusal

SECURITY_HEADERS = {
    # Nothing is loaded from elsewhere, no script or style stands in the markup, and nobody frames the page.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

FAULT = "something failed at this; the page goes on"

_OPEN_TO_ALL = frozenset({"/login", *(f"/assets/{name}" for name in LOGIN_ASSETS)})
"""What is answered without the token: the form, and the files that it is made of."""

_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::\d*)?")  # RFC 3986, section 3.2.2


class Gate:
    """Stands before the application: refuses, adds what browsers have to know, and survives what goes wrong inside.

    A page on loopback without a token answers only to the names of loopback, so that no foreign name that was made
    to point here can speak to it (DNS rebinding). With a token any name will do: a foreign page has no cookie.

    Args:
        application: what is guarded.
        keyring: the token.
        trouble: told in one line what went wrong inside.
    """

    def __init__(self, application: ASGIApp, *, keyring: Keyring, trouble: Callable[[str], None]) -> None:
        self._application = application
        self._keyring = keyring
        self._trouble = trouble
        self._pace = Pace()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        begun = False

        async def guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            answer = self._refusal(scope) or self._application
            await answer(scope, receive, guarded)
        except Exception as error:
            # The address is a stranger's: nothing in it may move a terminal's cursor.
            where = f"{scope['method']} {ascii(scope['path'][:80])[1:-1]}"
            self._trouble(f"the page failed at {where}: {type(error).__name__}: {error}")
            if not begun:
                await refusal(500, FAULT)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        try:
            self._check_pace(scope)
            self._check_framing(headers)
            self._check_name(headers)
            self._check_origin(scope, headers)
        except RefusedError as refused:
            return refused.response()
        path: str = scope["path"]
        if not self._keyring.needed or path in _OPEN_TO_ALL or self._let_in(headers):
            return None
        if path == "/":
            return None if "token" in QueryParams(scope["query_string"]) else login_page(status=401)
        return refusal(401, "this page needs its token: open it at / and log in")

    def _check_pace(self, scope: Scope) -> None:
        client = scope.get("client")
        if client is not None and not self._pace.allows(client[0]):
            raise RefusedError(
                429, "too many requests; wait a moment", headers={"retry-after": "1", "connection": "close"}
            )

    def _check_framing(self, headers: Headers) -> None:
        """Refuse a body whose end is told in two ways, which a proxy may see elsewhere (RFC 9112, section 6.1)."""
        if "transfer-encoding" in headers and "content-length" in headers:
            raise RefusedError(400, "the request says in two ways how long it is", headers={"connection": "close"})

    def _check_name(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if not host or len(headers.getlist("host")) != 1:
            raise RefusedError(400, "the request does not say which host it is for")
        if not self._keyring.needed and not is_loopback(_name_of(host)):
            raise RefusedError(421, "this page answers only to localhost; set a token to open it under other names")

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what another site makes a browser send.

        A program that is no browser sends neither header, and has no cookie that it could be tricked out of.
        """
        site = headers.get("sec-fetch-site")
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if site is not None:
            data = scope["path"].startswith("/api/")
            navigates = headers.get("sec-fetch-mode") == "navigate" and not changes
            # A link from elsewhere to the page works. One to its data has no use but to take places at the news, which
            # a frame or a window of another site would do; who typed the address may have them.
            typed = site == "none" and (navigates or not (changes or data))
            if site != "same-origin" and not typed and not (navigates and not data):
                raise RefusedError(403, "this request comes from another site; open the page itself")
        elif (origin := headers.get("origin")) is not None and not _same(origin, headers["host"]):
            raise RefusedError(403, "this request comes from another site; open the page itself")

    def _let_in(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", "")[:8192])
        except CookieError:
            return False
        morsel = cookies.get(self._keyring.cookie_name)
        return morsel is not None and self._keyring.admits(morsel.value)


def _name_of(host: str) -> str:
    """Return the host without the port: any port will do, it may have been forwarded."""
    found = _HOST.fullmatch(host)
    return found[1] if found else host


def _same(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
