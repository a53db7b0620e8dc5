"""A page as it is served: on a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

import uvicorn

from shared.errors import RunError, SettingsError
from shared.web.access import check_access
from shared.web.connection import Connection
from shared.web.keyring import Keyring, cookie_key
from shared.web.page import Page, application

_MOST_AT_ONCE = 128
_STARTS_WITHIN_S = 10.0
_ENDS_WITHIN_S = 3
_UNHEARD_S = 45.0
"""A browser that takes nothing for so long is gone: a phone that fell asleep would listen to the news for ever."""


class PageServer:
    """Serves a page from ``start`` to ``stop``; or use it as a context manager.

    Args:
        page: what is served.
        host: the address to listen at. Without a token it has to be one of loopback.
        port: to listen at; 0 for one that is free.
        token: what a browser has to know; without one, only this machine can open the page.
        key_file: where the key to the browsers' cookies is kept, so that they stay in when the page starts again;
            None forgets them.
        trouble: told in one line what went wrong while the page was served; it goes on.
    """

    def __init__(
        self,
        page: Page,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        key_file: Path | None = None,
        trouble: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._page = page
        self._host = host
        self._port = port
        self._token = token
        self._key_file = key_file
        self._trouble = trouble
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self._address = ("", 0)

    @property
    def url(self) -> str:
        """Where the page is, without the token: ``http://127.0.0.1:8080/``. Empty before the start."""
        host, port = self._address
        if not port:
            return ""
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def start(self) -> None:
        """Listen, and serve in the background.

        Raises:
            SettingsError: the host is not of loopback and there is no token, the token is too short, or nobody can
                listen at this address.
            RunError: it cannot be served for another reason.
        """
        check_access(self._host, token=self._token)
        listener = self._listen()
        self._address = (self._host, listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, args=[listener], name="page", daemon=True)
        self._thread.start()
        self._ready.wait(_STARTS_WITHIN_S)
        if self._failure is not None:
            raise RunError(f"the page cannot be served: {self._failure}")

    def stop(self) -> None:
        """End: answers under way are given, whoever waits for news is let go."""
        if self._thread is None:
            return
        self._ready.wait(_STARTS_WITHIN_S)
        if self._loop is not None and self._closing is not None and self._server is not None:
            self._server.should_exit = True
            with suppress(RuntimeError):  # it has ended already
                self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _listen(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            family, kind, protocol, _, address = found[0]
            listener = socket.socket(family, kind, protocol)
        except (OSError, UnicodeError, OverflowError) as error:
            raise SettingsError(f"the page cannot listen at {self._host}:{self._port}: {_why(error)}") from None
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # every connection inherits it
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * _UNHEARD_S))
            listener.bind(address)
            listener.listen(64)
        except (OSError, OverflowError) as error:
            listener.close()
            what = "address" if getattr(error, "errno", None) == errno.EADDRNOTAVAIL else "port"
            raise SettingsError(
                f"the page cannot listen at {self._host}:{self._port}: {_why(error)}; choose another {what}"
            ) from None
        return listener

    def _serve(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._run(listener))
        except Exception as error:
            self._failure = error
            self._trouble(f"the page has ended: {type(error).__name__}: {error}")
        finally:
            listener.close()
            self._ready.set()

    async def _run(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._closing = asyncio.Event()
        keyring = Keyring(self._token, key=cookie_key(self._key_file) if self._token else b"")
        config = uvicorn.Config(
            application(self._page, keyring=keyring, closing=self._closing, trouble=self._trouble),
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_AT_ONCE,
            timeout_graceful_shutdown=_ENDS_WITHIN_S,
        )
        self._server = uvicorn.Server(config)
        self._ready.set()
        await self._server.serve(sockets=[listener])


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
