"""The page shows and changes nothing: whatever else is asked of it is refused in one clear line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from pydantic import ValidationError

from aggregator.page.fleet_page import fleet_page
from aggregator.settings import AggregatorSettings
from shared.web.keyring import GUESSES
from shared.web.server import PageServer
from tests.aggregator.page.conftest import Shown
from tests.cross_site import CROSS_SITE, sent_to

TOKEN = "correct horse battery"


@pytest.fixture
def guarded(shown: Shown) -> Iterator[httpx.Client]:
    """A page with a token, and a browser that has none."""
    with PageServer(fleet_page(shown.news), token=TOKEN) as server, httpx.Client(base_url=server.url) as client:
        yield client


def test_no_address_changes_anything(shown: Shown) -> None:
    """Every one of them is for reading alone."""
    routes = fleet_page(shown.news).routes(asyncio.Event())
    assert {route.path for route in routes} == {"/api/fleet", "/api/news"}
    assert all(route.methods == {"GET", "HEAD"} for route in routes)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/api/fleet", "/api/news", "/assets/app.js"])
def test_other_methods(client: httpx.Client, method: str, path: str) -> None:
    """They are refused."""
    answer = client.request(method, path, content=b"{}")
    assert answer.status_code == 405
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/",
        "/api/fleet/",
        "/api/fleet/hall",
        "/assets/",
        "/assets/../fleet_page.py",
        "/assets/..%2ffleet_page.py",
        "/assets/%2e%2e/fleet_page.py",
        "/assets/..%5cfleet_page.py",
        "/assets//etc/passwd",
        "/assets/app.js%00.css",
        "//assets/app.js",
    ],
)
def test_no_path_leads_out(client: httpx.Client, path: str) -> None:
    """What is not in the page's own table does not exist."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "path", ["/api/fleet", "/api/news", "/assets/app.js", "/assets/fleet.css", "/nothing", "/index.html"]
)
def test_without_the_token(guarded: httpx.Client, path: str) -> None:
    """Neither data nor the page's own scripts are given out."""
    answer = guarded.get(path)
    assert answer.status_code == 401
    assert "token" in answer.json()["error"]


def test_with_the_token(guarded: httpx.Client) -> None:
    """The page asks for it, takes it, and keeps no trace of it in the address."""
    assert 'action="/login"' in guarded.get("/").text
    assert guarded.post("/login", data={"token": TOKEN}).headers["location"] == "/"
    assert guarded.get("/api/fleet").json()["now"]["fleet"] == "school"
    assert "The fleet" in guarded.get("/").text


def test_guessing_is_slow(guarded: httpx.Client) -> None:
    """After a few wrong tokens not even the right one is heard for a while."""
    for _ in range(GUESSES):
        assert guarded.post("/login", data={"token": "guess"}).status_code == 401
    answer = guarded.post("/login", data={"token": TOKEN})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("headers", CROSS_SITE)
@pytest.mark.parametrize("path", ["/api/fleet", "/api/news"])
def test_other_sites_read_nothing(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    """A request that a browser sends for another page is refused."""
    answer = client.get(path, headers=sent_to(str(client.base_url), headers))
    assert answer.status_code == 403
    assert "another site" in answer.json()["error"]


def test_a_foreign_name(client: httpx.Client) -> None:
    """A name that was made to point here reads nothing (DNS rebinding)."""
    assert client.get("/api/fleet", headers={"host": "evil.example"}).status_code == 421


def test_a_login_too_large(guarded: httpx.Client) -> None:
    """It is refused, and the page goes on."""
    assert guarded.post("/login", content=bytes(1 << 20)).status_code == 413
    assert guarded.get("/").status_code == 401


def test_every_answer_says_how_it_may_be_used(client: httpx.Client) -> None:
    """Pages, data and refusals carry the headers that keep other sites out."""
    for path in ("/", "/api/fleet", "/assets/app.js", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"page_host": "0.0.0.0"}, "set a token"),
        ({"page_host": "192.168.1.7", "token": "1234"}, "too short"),
    ],
)
def test_a_page_for_all_needs_a_token(given: dict[str, str], says: str) -> None:
    """The settings refuse it before anything is begun; without a page they do not matter."""
    with pytest.raises(ValidationError, match=says):
        AggregatorSettings(page=True, **given)
    assert not AggregatorSettings(**given).page
