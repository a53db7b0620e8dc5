"""A page whose device does not answer for a while: a phone out of reach, a device that is started again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.web.server import PageServer
from tests.browser_fixtures import PATIENCE_MS
from tests.edge_client.page.by_hand import write
from tests.edge_client.page.handwritten import strokes_of

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect


@pytest.fixture
def page(server: PageServer, browser: Any) -> Iterator[Any]:
    """The page with paper to write on; what its console says of lost connections is expected."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{server.url}#draw")
    page.wait_for_selector("html[data-ready]")
    yield page
    context.close()


def test_what_was_written_meanwhile_is_read_when_the_device_answers_again(page: Any) -> None:
    """The page says that nobody answers, keeps the ink, and has it read without another stroke."""
    page.context.set_offline(True)
    write(page, strokes_of(["3", "+", "4"]))
    expect(page.locator(".toast.bad")).to_contain_text("does not answer")
    assert page.locator("#draw-panel .line").count() == 0
    page.context.set_offline(False)
    expect(page.locator('#draw-panel .formula[aria-label="3+4"]')).to_have_count(1)


def test_samples_that_did_not_come_can_be_asked_for_again(page: Any) -> None:
    """Instead of an empty section there is a line, and a button."""
    page.route("**/api/samples?*", lambda route: route.abort())
    page.click('.tabs a[href="#samples"]')
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    page.unroute("**/api/samples?*")
    again.click()
    expect(page.locator("#samples .balance")).to_be_visible()
    expect(again).to_have_count(0)
