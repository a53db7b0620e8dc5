"""A real browser for tests: one process for the tests of a file, a window for every page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from shared.web.server import PageServer

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WATCH_CSP = "addEventListener('securitypolicyviolation', (e) => console.error('CSP: ' + e.violatedDirective));"

PATIENCE_MS = 60_000
"""A machine that has much else to do is no failure."""

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium. Not installed: a skip by name, and in CI a failure."""
    executable = shutil.which("chromium")
    if executable is None:
        message = "Chromium is not installed (apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=PATIENCE_MS)
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=executable, args=ARGUMENTS, timeout=2 * PATIENCE_MS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Open a page of a server. At the end nothing may have gone wrong in it, and nothing been asked elsewhere."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(
        server: PageServer,
        section: str = "",
        *,
        width: int = 1100,
        height: int = 850,
        scheme: str = "light",
        touch: bool = False,
    ) -> Any:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=touch, is_mobile=touch
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH_CSP)
        page = context.new_page()
        own = (server.url, "blob:", "data:")
        page.on(
            "console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(own) else faults.append(request.url))
        page.goto(f"{server.url}#{section}")
        page.wait_for_selector("html[data-ready]")
        return page

    # A page is closed before its server is (tests name it first): else it would miss it.
    yield opened
    for context in contexts:
        context.close()
    assert faults == []
