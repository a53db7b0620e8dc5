"""Many connections that say nothing, or speak slowly: they take no place from a browser that asks for something."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from shared.web import connection, request_body
from shared.web.connection import MOST_CONNECTIONS
from shared.web.page import Page
from shared.web.server import PageServer

TOKEN = "correct horse battery"
PATIENCE_S = 60.0


@pytest.fixture
def guarded(page: Page) -> Iterator[PageServer]:
    """A page with a token."""
    with PageServer(page, token=TOKEN) as server:
        yield server


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\na"],
    ids=["nothing", "half a head", "half a body"],
)
def test_many_silent_connections(guarded: PageServer, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are closed, and whoever asks is answered."""
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 600.0)
    monkeypatch.setattr(request_body, "BODY_DEADLINE_S", 600.0)
    with ExitStack() as stack:
        silent = []
        for _ in range(2 * MOST_CONNECTIONS):
            silent.append(stack.enter_context(_connected(guarded)))
            silent[-1].sendall(said)
        assert httpx.get(guarded.url + "assets/look.css", timeout=PATIENCE_S).status_code == 200
        assert _is_closed(silent[0])
        silent[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            silent[-1].recv(1)


@pytest.mark.parametrize("said", [b"", b"GET / HT"], ids=["nothing", "half a head"])
def test_a_head_that_does_not_come(guarded: PageServer, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for so long and no longer."""
    monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 0.3)
    with _connected(guarded) as slow:
        slow.sendall(said)
        assert _is_closed(slow)


def test_the_head_of_a_later_request_does_not_come(guarded: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was used has no more time than a new one."""
    with _connected(guarded) as slow:
        slow.sendall(b"HEAD /assets/look.css HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(connection, "HEAD_DEADLINE_S", 0.3)
        slow.sendall(b"GET / HT")
        assert _is_closed(slow)


def _connected(server: PageServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE_S)


def _is_closed(connected: socket.socket) -> bool:
    try:
        while connected.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True
