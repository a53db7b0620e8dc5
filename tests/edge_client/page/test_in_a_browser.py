"""The page in a real browser: its sections, beside the one that is written on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge_client.camera import open_source
from edge_client.expression import Solver
from edge_client.live import LiveReader
from edge_client.page.backend import Backend
from edge_client.page.device_page import device_page
from edge_client.sample_store import SampleStore
from shared.web.server import PageServer
from tests.browser_fixtures import PATIENCE_MS, Open
from tests.edge_client.page.by_hand import wait_for_text, write
from tests.edge_client.page.handwritten import strokes_of
from tests.reading_scenes import draw_scene

playwright = pytest.importorskip("playwright.sync_api")

expect = playwright.expect


@pytest.fixture
def filmed(backend: Backend, solver: Solver, tmp_path: Path) -> Iterator[PageServer]:
    """A page whose camera is a video of somebody's handwriting."""
    scene = draw_scene("3+4", seed=5, width=640, height=360, noise=0)
    video = cv2.VideoWriter(str(tmp_path / "video.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 20, (640, 360))
    for _ in range(20):
        video.write(scene.picture)
    video.release()
    live = LiveReader(open_source(str(tmp_path / "video.mp4"), loop=True), recogniser=backend.recogniser, solver=solver)
    seen = Backend(backend.recogniser, backend.solver, backend.store, backend.corrections, backend.learning, live)
    with live, PageServer(device_page(seen)) as server:
        yield server


def test_the_live_view(filmed: PageServer, store: SampleStore, open_page: Open) -> None:
    """Frames come, what is read stands below, and the frame of this moment can be stopped and put right."""
    page = open_page(filmed)
    page.wait_for_selector("#live .line")
    expect(page.locator("#live canvas")).to_have_attribute("width", "640")
    assert page.evaluate("document.querySelector('#live canvas').toDataURL().length") > 5000, (
        "there is something to see"
    )
    page.click("text=Correct this")
    page.wait_for_selector("#live .tray")
    symbols = page.locator("#live .symbol").count()
    assert page.locator("#live .overlay rect").count() == symbols
    page.keyboard.press("a")
    page.wait_for_selector("#live .done")
    assert {sample.source for sample in store.samples()} == {"camera"}
    page.click("text=Back to the live view")
    page.wait_for_selector("#live .line .gauge")
    assert page.locator("text=Correct this").is_enabled()


def test_without_a_camera_the_live_view_says_so(server: PageServer, open_page: Open) -> None:
    """And shows what works without."""
    page = open_page(server, "live")
    assert "This device has no camera" in page.inner_text("#live")
    page.click('#live a[href="#draw"]')
    assert page.locator("#canvas").is_visible()


def test_samples_are_deleted_after_a_second_thought(server: PageServer, store: SampleStore, open_page: Open) -> None:
    """One sample goes by unfolding it and saying so; all of them by a question that can be answered with no."""
    page = open_page(server, "draw")
    write(page, strokes_of(["3", "+", "4"]))
    wait_for_text(page, "3+4")
    page.keyboard.press("a")
    page.wait_for_selector(".line-tools .done")
    page.click('.tabs a[href="#samples"]')
    page.click(".gallery .sample >> nth=0")
    page.click(".sample.open >> text=Delete")
    expect(page.locator(".gallery .sample")).to_have_count(2)
    assert len(store) == 2
    page.click("#delete-all")
    page.keyboard.press("Enter")
    assert not page.locator("#ask-delete").is_visible()
    assert len(store) == 2, "keeping them is what Enter means"
    page.click("#delete-all")
    page.click("#ask-delete .danger")
    expect(page.locator(".gallery")).to_have_count(0)
    assert len(store) == 0


def test_learning_is_shown_and_paused(server: PageServer, backend: Backend, open_page: Open) -> None:
    """Without a fleet it says so; in one, rounds come as they happen, and the switch pauses training."""
    page = open_page(server, "learning")
    assert "In no fleet" in page.inner_text("#learning")
    assert page.locator("#training-switch").count() == 0
    page.context.close()


@pytest.fixture
def in_a_fleet(backend: Backend) -> Iterator[tuple[PageServer, Backend]]:
    """A device that has trained in a round."""
    from edge_client.learning import Learning

    learning = Learning(device="pi-1", fleet="school")
    fleet = Backend(backend.recogniser, backend.solver, backend.store, backend.corrections, learning)
    round_2 = {"run": "run-1", "round": 2, "rounds": 5}
    learning.observe({"event": "connected"})
    learning.observe({"event": "round", "phase": "open", "invited": True, "reason": "", **round_2})
    measured = {"samples": 40, "train_s": 1.5, "holdout_before": 0.5, "holdout_after": 0.75}
    learning.observe({"event": "trained", **round_2, **measured})
    with PageServer(device_page(fleet)) as server:
        yield server, fleet


def test_rounds_are_shown_as_they_happen(in_a_fleet: tuple[PageServer, Backend], open_page: Open) -> None:
    """News of the device's own round reaches the page by itself, and the switch reaches the device."""
    server, backend = in_a_fleet
    page = open_page(server, "learning")
    assert page.inner_text("#device-name") == "pi-1"
    assert "Sending what it learnt in round 2 of 5" in page.inner_text("#learning")
    assert page.locator("#learning .chart circle").count() == 2
    assert "50\u202f%" in page.inner_text("#learning table")
    backend.learning.observe({"event": "verdict", "run": "run-1", "round": 2, "verdict": "accepted", "reason": ""})
    page.wait_for_selector("#learning td:has-text('accepted')")
    page.click("#training-switch")
    page.wait_for_selector('#training-switch[aria-checked="false"]')
    assert backend.learning.paused
    expect(page.locator("#state")).to_contain_text("Training is paused")


def test_the_token_is_asked_for(browser: Any, backend: Backend, open_page: Open) -> None:
    """The form opens the page, in the address it does too, and it does not stay there."""
    with PageServer(device_page(backend), token="open sesame") as server:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.goto(server.url)
        page.fill("#token", "wrong token")
        page.keyboard.press("Enter")
        page.wait_for_selector("text=This is not the token.")
        page.fill("#token", "open sesame")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-ready]")
        assert context.cookies()[0]["httpOnly"]
        context.clear_cookies()
        page.goto(f"{server.url}?token=open+sesame")
        page.wait_for_selector("html[data-ready]")
        assert "token" not in page.url
        context.close()
