"""Whatever is sent: one clear answer, no traceback, and the page goes on."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.errors import SettingsError
from shared.web.page import Page
from shared.web.port import page_port
from shared.web.server import PageServer
from tests.cross_site import CROSS_SITE, sent_to


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5_000, "not JSON"),
        (b'{"width": NaN}', "not JSON"),
        (b'{"width": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[1]", "a JSON object"),
    ],
)
def test_what_is_no_json_object(client: httpx.Client, troubles: list[str], body: bytes, says: str) -> None:
    """It is refused in one line that says what is wrong."""
    answer = client.post("/api/thing", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert troubles == []


@pytest.mark.parametrize("path", ["/api/thing", "/login"])
def test_a_body_too_large(client: httpx.Client, path: str) -> None:
    """It is refused while it comes, whatever its length was said to be."""

    def chunks() -> Any:
        for _ in range(18):
            yield bytes(65536)

    answer = client.post(path, content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]
    assert client.get("/api/thing").status_code == 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_only_json_is_taken(client: httpx.Client, kind: str) -> None:
    """What a form on another site can send is no JSON."""
    headers = {"content-type": kind} if kind else {}
    assert client.post("/api/thing", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8420",
        "192.168.1.7",
        "127.0.0.1.evil.example",
        "[::2]:80",
        "0.0.0.0",
        "localhost:80@evil.example",
        "[::1].evil.example",
        "[::1]:x",
    ],
)
def test_a_foreign_name_is_refused(client: httpx.Client, host: str) -> None:
    """A name that was made to point here reads nothing (DNS rebinding)."""
    for path in ("/", "/api/thing", "/assets/app.js"):
        answer = client.get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "localhost" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9", "[::1]:8420", "LOCALHOST:80", "127.0.0.2"])
def test_the_names_of_loopback_are_known(client: httpx.Client, host: str) -> None:
    """Any port will do: it may have been forwarded."""
    assert client.get("/api/thing", headers={"host": host}).status_code == 200


def test_a_request_without_a_host_is_refused(server: PageServer) -> None:
    """HTTP/1.0 needs none; this page does."""
    assert _raw(server, b"GET /api/thing HTTP/1.0\r\n\r\n")[0] == 400


@pytest.mark.parametrize("headers", CROSS_SITE)
def test_other_sites_change_nothing(client: httpx.Client, headers: dict[str, str]) -> None:
    """A request that a browser sends for another page is refused."""
    sent = sent_to(str(client.base_url), headers)
    answer = client.post("/api/thing", json={}, headers=sent)
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]


def test_other_sites_read_nothing(client: httpx.Client) -> None:
    """Nor are pictures and numbers embedded elsewhere; a link to the page works."""
    assert (
        client.get("/api/thing", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}).status_code
        == 403
    )
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    # Frames and windows that another site opens would hold the places at the news.
    for path in ("/api/thing", "/api/news"):
        for site in ("cross-site", "same-site"):
            assert client.get(path, headers=link | {"sec-fetch-site": site}).status_code == 403
    typed = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}
    assert client.get("/api/thing", headers=typed).status_code == 200


def test_the_page_s_own_requests_pass(client: httpx.Client) -> None:
    """With the headers that a browser sends for this page, a drawing is read."""
    own = str(client.base_url).rstrip("/")
    for headers in ({"sec-fetch-site": "same-origin", "origin": own}, {"origin": own}):
        assert client.post("/api/thing", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/assets/../server.py", 404),
        ("GET", "/assets/..%2fserver.py", 404),
        ("GET", "/assets/%2e%2e/server.py", 404),
        ("GET", "/assets/", 404),
        ("PUT", "/api/thing", 405),
        ("TRACE", "/", 405),
    ],
)
def test_addresses(client: httpx.Client, troubles: list[str], method: str, path: str, status: int) -> None:
    """What is not there, or is asked for in the wrong way, is answered in one line of JSON."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert troubles == []


def test_every_answer_says_how_it_may_be_used(client: httpx.Client) -> None:
    """Pages, data and refusals carry the headers that keep other sites out."""
    for path in ("/", "/api/thing", "/assets/app.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"


def test_a_fault_inside_is_told_and_survived(client: httpx.Client, troubles: list[str]) -> None:
    """The browser hears no more than that; the next request is answered."""
    answer = client.get("/api/broken")
    assert answer.status_code == 500
    assert answer.json() == {"error": "something failed at this; the page goes on"}
    assert client.get("/api/thing").status_code == 200
    assert len(troubles) == 1
    assert "ZeroDivisionError: secret detail" in troubles.pop()


def test_noise_on_the_line(server: PageServer, client: httpx.Client) -> None:
    """Bytes that are no HTTP are refused, and the page goes on."""
    assert _raw(server, b"\x16\x03\x01\x02\0\x01\0\r\n\r\n")[0] == 400
    assert _raw(server, b"GET / HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n")[0] == 400
    twice = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    hidden = b"0\r\n\r\nGET /api/thing HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((urlsplit(server.url).hostname, urlsplit(server.url).port)) as connection:
        connection.sendall(twice + hidden)
        answers = b"".join(iter(partial(connection.recv, 65536), b""))
    assert answers.count(b"HTTP/1.1 ") == 1, "what one reads as a body, another reads as a request"
    assert b"HTTP/1.1 400" in answers
    assert b"in two ways" in answers
    assert _raw(server, b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 400
    assert client.get("/api/thing").status_code == 200


def test_a_page_for_all_needs_a_token(page: Page) -> None:
    """Beyond loopback nothing is served without one; too short a one is none."""
    for host in ("0.0.0.0", "192.168.1.7", "::"):
        with pytest.raises(SettingsError, match="set a token"):
            PageServer(page, host=host).start()
    with pytest.raises(SettingsError, match="too short"):
        PageServer(page, token="1234").start()


def test_a_port_that_is_taken(page: Page, server: PageServer) -> None:
    """The error says which port, and what to do."""
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}.*choose another port"):
        PageServer(page, port=port).start()


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


def test_an_address_of_another_machine_is_named_with_the_usual_port(page: Page) -> None:
    """It is the address that is wrong: no free port is looked for there, and another port is no advice."""
    host = "192.0.2.1"
    port = page_port(host, None, default=8421)
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:8421: .*choose another address"):
        PageServer(page, host=host, port=port, token="correct horse battery").start()
