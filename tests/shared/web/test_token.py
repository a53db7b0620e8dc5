"""The token: who has it is let in, who guesses waits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.web.keyring import GUESS_WINDOW_S, GUESSES, Guesses, Keyring, cookie_key
from shared.web.page import Page
from shared.web.server import PageServer

TOKEN = "correct horse battery"


@pytest.fixture
def guarded(page: Page) -> Iterator[httpx.Client]:
    """A page with a token, and a browser that has none."""
    with PageServer(page, token=TOKEN) as server, httpx.Client(base_url=server.url) as client:
        yield client


def test_without_the_token_there_is_a_form(guarded: httpx.Client) -> None:
    """The page asks for the token, and data are refused."""
    form = guarded.get("/")
    assert form.status_code == 401
    assert 'action="/login"' in form.text
    for method, path in [
        ("GET", "/api/thing"),
        ("POST", "/api/thing"),
        ("GET", "/api/news"),
    ]:
        answer = guarded.request(method, path)
        assert answer.status_code == 401
        assert "token" in answer.json()["error"]


def test_without_the_token_there_is_the_form_and_nothing_else(guarded: httpx.Client, page: Page) -> None:
    """Of the page's own files only those that the form is made of are served, whatever the address looks like."""
    form = guarded.get("/").text
    for path in re.findall(r'"(/assets/[^"]+)"', form):
        assert guarded.get(path).status_code == 200
    for name in page.assets:
        if f"/assets/{name}" not in form:
            assert guarded.get(f"/assets/{name}").status_code == 401, name
    for path in ("/?xtoken=1", "/?token", "/?token=", "/?a=1&token=wrong"):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert 'action="/login"' in answer.text, path
    for path in ("/index.html", "/loginx", "/login/", "//api/thing", "/assets/", "/nothing"):
        assert guarded.get(path).status_code == 401, path


def test_the_token_in_the_address(guarded: httpx.Client) -> None:
    """It is taken once, leaves the address, and a cookie that scripts and other sites cannot use takes its place."""
    answer = guarded.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert TOKEN not in cookie
    assert guarded.get("/").status_code == 200
    assert guarded.get("/api/thing").status_code == 200


def test_the_token_in_the_form(guarded: httpx.Client) -> None:
    """The form does the same; a wrong token is told so."""
    wrong = guarded.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "This is not the token." in wrong.text
    assert guarded.post("/login", data={"token": TOKEN}).status_code == 303
    assert guarded.get("/api/thing").status_code == 200


def test_with_a_token_any_name_will_do(guarded: httpx.Client) -> None:
    """The device may be called whatever the network calls it; a stranger's name has no cookie."""
    guarded.get("/", params={"token": TOKEN})
    assert guarded.get("/api/thing", headers={"host": "pi.local:8420"}).status_code == 200
    guarded.cookies.clear()
    assert guarded.get("/api/thing", headers={"host": "pi.local:8420"}).status_code == 401


def test_other_sites_cannot_log_anybody_in(guarded: httpx.Client) -> None:
    """The form is only taken from the page itself."""
    answer = guarded.post("/login", data={"token": TOKEN}, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("what", ["iframe", "image", "empty"])
def test_other_sites_cannot_guess_in_a_visitors_name(guarded: httpx.Client, what: str) -> None:
    """Frames with wrong tokens in their address do not keep the one who looks at them from logging in."""
    for guess in range(2 * GUESSES):
        answer = guarded.get("/", params={"token": f"wrong {guess}"}, headers={"sec-fetch-dest": what})
        assert answer.status_code == 403
    assert guarded.get("/", params={"token": TOKEN}, headers={"sec-fetch-dest": "document"}).status_code == 303


@pytest.mark.parametrize("cookie", ["", "x", "é", Keyring(TOKEN, key=b"").cookie, TOKEN])
def test_a_made_up_cookie(guarded: httpx.Client, cookie: str) -> None:
    """It lets nobody in."""
    guarded.get("/", params={"token": TOKEN})
    name = next(iter(guarded.cookies))
    guarded.cookies.clear()
    header = f"{name}={cookie}".encode()
    assert guarded.get("/api/thing", headers={b"cookie": header}).status_code == 401


def test_pages_of_one_host_log_nobody_out(page: Page) -> None:
    """A browser keeps cookies by host, whatever the port: two pages there have cookies of different names."""
    with PageServer(page, token=TOKEN) as one, PageServer(page, token="another token") as two, httpx.Client() as client:
        for server, token in ((one, TOKEN), (two, "another token")):
            client.get(server.url, params={"token": token})
        assert [client.get(f"{server.url}api/thing").status_code for server in (one, two)] == [200, 200]


def test_a_cookie_outlives_the_page_but_not_its_key(tmp_path: Path) -> None:
    """The key is kept where its owner alone can read it; without it the token alone makes no cookie."""
    file = tmp_path / "page.key"
    key = cookie_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert cookie_key(file) == key
    file.write_bytes(b"short")
    assert cookie_key(file) != key
    assert cookie_key(None) != cookie_key(None)
    assert cookie_key(tmp_path / "absent" / "page.key")
    assert Keyring(TOKEN, key=key).admits(Keyring(TOKEN, key=key).cookie)
    assert Keyring(TOKEN, key=key).cookie_name == Keyring("another token", key=key).cookie_name
    assert not Keyring(TOKEN, key=key).admits(Keyring(TOKEN, key=cookie_key(None)).cookie)
    assert not Keyring("another token", key=key).admits(Keyring(TOKEN, key=key).cookie)


def test_guessing_is_slow(guarded: httpx.Client) -> None:
    """After a few wrong tokens nothing more is heard from there, not even the right one; who is in stays in."""
    guarded.get("/", params={"token": TOKEN})
    stranger = httpx.Client(base_url=guarded.base_url)
    with stranger:
        for _ in range(GUESSES):
            assert stranger.get("/", params={"token": "guess"}).status_code == 401
        answer = stranger.post("/login", data={"token": TOKEN})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) <= GUESS_WINDOW_S
    assert guarded.get("/api/thing").status_code == 200


def test_guesses_are_forgotten() -> None:
    """A wrong token counts for a minute, and for its own network alone."""
    now = [100.0]
    guesses = Guesses(clock=lambda: now[0])
    for _ in range(GUESSES):
        guesses.count("2001:db8::1")
    assert guesses.wait_s("2001:db8::1") == pytest.approx(GUESS_WINDOW_S)
    assert guesses.wait_s("2001:db8::ffff") > 0, "one network of version 6 has more addresses than anyone can count"
    assert guesses.wait_s("2001:db8:1::1") == 0
    assert guesses.wait_s("10.0.0.7") == 0
    now[0] += GUESS_WINDOW_S
    assert guesses.wait_s("2001:db8::1") == 0
