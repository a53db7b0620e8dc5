"""Who asks too fast is answered no more for a moment; others are."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from shared.web import pace
from shared.web.keyring import Keyring
from shared.web.pace import BURST, PER_SECOND, Pace
from shared.web.page import Page, application


def test_a_burst_and_then_a_pace() -> None:
    """An address has so many requests at once, and then so many a second; a network of version 6 is one address."""
    now = [100.0]
    paced = Pace(clock=lambda: now[0])
    assert all(paced.allows("2001:db8::1") for _ in range(int(BURST)))
    assert not paced.allows("2001:db8::2")
    assert paced.allows("192.0.2.7")
    now[0] += 0.5
    assert sum(paced.allows("2001:db8::3") for _ in range(int(BURST))) == PER_SECOND / 2


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_not_counted(address: str) -> None:
    """A proxy before the page, or a test, asks as fast as it likes."""
    paced = Pace(clock=lambda: 0.0)
    assert all(paced.allows(address) for _ in range(2 * int(BURST)))


def test_addresses_without_end() -> None:
    """Those that were heard of longest ago are forgotten."""
    paced = Pace(clock=lambda: 0.0)
    for number in range(5000):
        assert paced.allows(f"10.0.{number // 256}.{number % 256}")
    assert len(paced._left) <= 1024


def test_the_gate_refuses_who_asks_too_fast(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with the time after which it may be tried again, and nobody else."""
    monkeypatch.setattr(pace, "BURST", 3.0)
    monkeypatch.setattr(pace, "PER_SECOND", 0.001)
    app = application(page, keyring=Keyring("a long token", key=b"k"), closing=asyncio.Event(), trouble=print)

    async def ask(address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://pi.local") as client:
            return await client.get("/api/thing")

    assert [asyncio.run(ask("192.0.2.7")).status_code for _ in range(4)] == [401, 401, 401, 429]
    refused = asyncio.run(ask("192.0.2.7"))
    assert refused.json() == {"error": "too many requests; wait a moment"}
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert asyncio.run(ask("192.0.2.8")).status_code == 401
