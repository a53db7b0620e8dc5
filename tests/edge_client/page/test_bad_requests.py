"""Whatever is sent: one clear answer, no traceback, and the page goes on."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from edge_client.page.backend import Backend
from edge_client.page.desk import Desk
from edge_client.page.device_page import device_page
from edge_client.page.drawing import MOST_POINTS, MOST_STROKES
from edge_client.page.reading_routes import MOST_UPLOADS
from shared.web.refusal import RefusedError
from shared.web.server import PageServer
from tests.cross_site import CROSS_SITE, sent_to
from tests.edge_client.page.handwritten import as_json, strokes_of


def _drawing(**change: Any) -> dict[str, Any]:
    return {"width": 400, "height": 200, "strokes": [[10, 10, 20, 20]], **change}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"width": NaN}', "not JSON"),
        (b'{"width": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "a JSON object"),
        (json.dumps(_drawing(width=None)), "'width'"),
        (json.dumps(_drawing(width=True)), "'width'"),
        (json.dumps(_drawing(height=10**9)), "'height'"),
        (json.dumps(_drawing(strokes="x")), "'strokes'"),
        (json.dumps(_drawing(strokes=[[1, 1]] * (MOST_STROKES + 1))), "at most 500 strokes"),
        (json.dumps(_drawing(strokes=[[1] * (2 * MOST_POINTS + 2)])), "points"),
        (json.dumps(_drawing(strokes=[[]])), "stroke 0"),
        (json.dumps(_drawing(strokes=[[1, 2], [1, 2, 3]])), "stroke 1"),
        (json.dumps(_drawing(strokes=[["1", "2"]])), "expected numbers"),
        (json.dumps(_drawing(strokes=[[True, False]])), "expected numbers"),
        (json.dumps(_drawing(strokes=[[1, None]])), "expected numbers"),
        (b'{"width":400,"height":200,"strokes":[[1e999,1]]}', "too large"),
        (json.dumps(_drawing(strokes=[[10**400, 1]])), "too large"),
        (json.dumps(_drawing(reading=7)), "'reading'"),
    ],
)
def test_a_malformed_drawing(any_client: httpx.Client, any_troubles: list[str], body: bytes | str, says: str) -> None:
    """It is refused in one line that says what is wrong."""
    answer = any_client.post("/api/drawings", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert any_troubles == []


def test_points_off_the_paper_are_brought_back(any_client: httpx.Client) -> None:
    """A pen that leaves the paper draws along its edge."""
    answer = any_client.post("/api/drawings", json=_drawing(strokes=[[-1e9, 1e9, 1e300, -5]]))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/drawings", "/api/readings/x/confirm", "/api/photos", "/api/live/freeze", "/login"]
)
def test_a_body_too_large(any_client: httpx.Client, path: str) -> None:
    """It is refused while it comes, whatever its length was said to be."""
    kind = "image/jpeg" if path == "/api/photos" else "application/json"

    def chunks() -> Any:
        for _ in range(26 * 16 if path == "/api/photos" else 18):
            yield bytes(65536)

    answer = any_client.post(path, content=chunks(), headers={"content-type": kind})
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]
    assert any_client.get("/api/device").status_code == 200


def test_an_announced_body_too_large_is_not_waited_for(any_server: PageServer) -> None:
    """A request that announces a terabyte is answered at once."""
    status, body = _raw(
        any_server,
        b"POST /api/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        b"Content-Length: 1099511627776\r\n\r\n",
    )
    assert status == 413
    assert b"larger than 16 MiB" in body


def test_many_photographs_at_once(server: PageServer, client: httpx.Client) -> None:
    """Only so many are kept in memory at once, those that come slowly among them; the rest of the page goes on."""
    parts = urlsplit(server.url)
    with ExitStack() as stack:
        for _ in range(MOST_UPLOADS):
            slow = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0)))
            slow.sendall(
                b"POST /api/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\n"
            )
        _until(lambda: client.post("/api/photos", content=b"x", headers={"content-type": "image/png"}), status=503)
        assert client.get("/api/device").status_code == 200
    _until(lambda: client.post("/api/photos", content=b"x", headers={"content-type": "image/png"}), status=400)


def _until(ask: Callable[[], httpx.Response], *, status: int) -> None:
    late = time.monotonic() + 60
    while ask().status_code != status:
        assert time.monotonic() < late
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_only_json_is_taken(any_client: httpx.Client, kind: str) -> None:
    """What a form on another site can send is no JSON."""
    headers = {"content-type": kind} if kind else {}
    assert any_client.post("/api/drawings", content=b"{}", headers=headers).status_code == 415
    assert any_client.request("DELETE", "/api/samples", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_other_sites_change_nothing(any_client: httpx.Client, headers: dict[str, str]) -> None:
    """A request that a browser sends for another page is refused."""
    sent = sent_to(str(any_client.base_url), headers)
    for method, path in [("POST", "/api/drawings"), ("DELETE", "/api/samples"), ("POST", "/api/learning/pause")]:
        answer = any_client.request(method, path, json=_drawing(delete="all", paused=True), headers=sent)
        assert answer.status_code == 403
        assert "another site" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/assets/../server.py", 404),
        ("GET", "/assets/..%2fserver.py", 404),
        ("GET", "/assets/%2e%2e/server.py", 404),
        ("GET", "/assets/", 404),
        ("GET", "/api/readings/none", 404),
        ("GET", "/api/readings/none/picture", 404),
        ("POST", "/api/readings/none/right", 404),
        ("GET", "/api/samples/5/picture", 404),
        ("DELETE", "/api/samples/5", 404),
        ("GET", "/api/samples/99999999999999999999/picture", 400),
        ("GET", f"/api/samples/{'9' * 6000}/picture", 400),
        ("DELETE", "/api/samples/counts", 400),
        ("GET", "/api/samples?offset=-1", 400),
        ("GET", "/api/samples?limit=x", 400),
        ("PUT", "/api/samples", 405),
        ("GET", "/api/drawings", 405),
        ("TRACE", "/", 405),
    ],
)
def test_addresses(any_client: httpx.Client, any_troubles: list[str], method: str, path: str, status: int) -> None:
    """What is not there, or is asked for in the wrong way, is answered in one line of JSON."""
    body = {"json": {"revision": 0, "line": 0}} if method == "POST" else {}
    answer = any_client.request(method, path, **body)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert any_troubles == []


def test_a_fault_inside_is_told_and_survived(backend: Backend) -> None:
    """Where the device itself fails, the browser hears no more than that; the next request is answered."""

    class Broken:
        def values(self, rows: object) -> Any:
            raise ZeroDivisionError("secret detail")

    troubles: list[str] = []
    broken = Backend(backend.recogniser, Broken(), backend.store, backend.corrections, backend.learning)
    with (
        PageServer(device_page(broken), trouble=troubles.append) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        answer = client.post("/api/drawings", json=as_json(strokes_of(["3"])))
        assert answer.status_code == 500
        assert answer.json() == {"error": "something failed at this; the page goes on"}
        assert client.get("/api/device").status_code == 200
    assert len(troubles) == 1
    assert "ZeroDivisionError: secret detail" in troubles[0]


def test_a_busy_desk_says_so() -> None:
    """Readings wait for their turn, and beyond a few, whoever asks hears so at once."""

    async def crowd() -> list[object]:
        desk = Desk(most_waiting=2)
        done: list[int] = []
        work = [desk.do(lambda i=i: done.append(i)) for i in range(5)]  # type: ignore[misc]
        results = await asyncio.gather(*work, return_exceptions=True)
        assert done == [0, 1, 2]
        return list(results)

    results = asyncio.run(crowd())
    refused = [result for result in results if isinstance(result, RefusedError)]
    assert [(one.status, dict(one.headers or {})) for one in refused] == [(503, {"retry-after": "1"})] * 2


def _raw(server: PageServer, request: bytes) -> tuple[int, bytes]:
    """Send bytes, and return the status and the rest of what comes back."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < _length(answer):
            chunk = connection.recv(65536)
            if not chunk:
                break
            answer += chunk
    return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]


def _length(answer: bytes) -> int:
    head = answer.partition(b"\r\n\r\n")[0].lower()
    return int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
