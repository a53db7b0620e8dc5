"""Written, drawn and photographed in a real browser: it is read, and put right by mouse, touch and keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_client.sample_store import SampleStore
from shared.web.server import PageServer
from tests.browser_fixtures import PATIENCE_MS, Open
from tests.edge_client.page.by_hand import wait_for_text, write
from tests.edge_client.page.handwritten import strokes_of
from tests.reading_scenes import draw_scene, jpeg

playwright = pytest.importorskip("playwright.sync_api")

expect = playwright.expect


def test_an_expression_drawn_with_the_mouse_is_read(server: PageServer, open_page: Open) -> None:
    """It appears beneath while it is written, with its value; undo takes a stroke back, clear takes all."""
    page = open_page(server, "draw")
    write(page, strokes_of(["3", "+", "4"]))
    wait_for_text(page, "3+4")
    assert page.inner_text("#draw-panel .line-value") == "=\n7"
    page.click("#undo")
    expect(page.locator('#draw-panel .formula[aria-label="3+4"]')).to_have_count(0)
    page.click("#clear")
    assert page.locator("#draw-panel .line").count() == 0
    assert page.locator("#paper-hint").is_visible()
    assert page.locator("#clear").is_disabled()


def test_an_equation_that_is_its_own_solution_stands_alone(server: PageServer, open_page: Open) -> None:
    """Under x=5 nobody needs to read that x = 5."""
    page = open_page(server, "draw")
    write(page, strokes_of(["x", "=", "5"]))
    wait_for_text(page, "x=5")
    assert page.locator("#draw-panel .line-value").count() == 0


def test_a_tap_puts_a_symbol_right(server: PageServer, store: SampleStore, open_page: Open) -> None:
    """The tapped symbol gets the label that is tapped; the sample is in the store, and the page says so."""
    page = open_page(server, "draw", width=390, height=800, touch=True)
    write(page, strokes_of(["3", "+", "4"], height=44, x=30))
    wait_for_text(page, "3+4")
    # What it says goes away again by itself.
    page.evaluate(
        """() => {
          const toasts = document.getElementById("toasts");
          self.told = [];
          new MutationObserver(() => told.push(toasts.innerText)).observe(toasts, { childList: true });
        }"""
    )
    page.tap("#draw-panel .symbol >> nth=1")
    assert page.locator(".tray .choice").first.get_attribute("data-label") == "+"
    page.tap('.tray .label[data-label="times"]')
    wait_for_text(page, "3*4")
    assert store.counts() == {"times": 1}
    assert "1 sample added · 1 today" in "".join(page.evaluate("told"))
    assert page.locator(".symbol.learnt").count() == 1
    assert page.locator('.symbol[aria-pressed="true"]').count() == 1, "the next symbol is offered"
    page.tap(".line-tools .primary")
    page.wait_for_selector(".line-tools .done")
    assert store.counts() == {"3": 1, "4": 1, "times": 1}
    page.tap('.tabs a[href="#samples"]')
    page.wait_for_selector(".gallery .sample")
    assert page.locator(".gallery .sample").count() == 3


def test_a_line_is_put_right_by_keyboard_alone(server: PageServer, store: SampleStore, open_page: Open) -> None:
    """Enter begins at the least sure symbol and confirms; digits choose; s, j, Delete and z change the boxes."""
    page = open_page(server, "draw")
    write(page, strokes_of(["3", "+", "4"]))
    wait_for_text(page, "3+4")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Enter")
    sure = page.eval_on_selector_all(
        ".symbol", "chips => chips.map(chip => parseFloat(chip.querySelector('.foot i').style.width))"
    )
    chosen = page.eval_on_selector_all(".symbol", "chips => chips.findIndex(chip => chip.ariaPressed === 'true')")
    assert sure[chosen] == min(sure), "the least sure symbol comes first"
    assert page.evaluate("document.activeElement.matches('.symbol[aria-pressed=true]')"), "focus can be seen"

    page.keyboard.press("Home")  # means nothing here, and must not
    while page.eval_on_selector_all(".symbol", "chips => chips.findIndex(c => c.ariaPressed === 'true')") != 1:
        page.keyboard.press("ArrowRight")
    second = page.locator(".tray .choice").nth(2).get_attribute("data-label")
    page.keyboard.press("2")
    page.wait_for_selector(".symbol.learnt")
    assert store.counts() == {second: 1}
    page.keyboard.press("z")
    expect(page.locator(".symbol.learnt")).to_have_count(0)

    page.keyboard.press("s")
    expect(page.locator(".symbol")).to_have_count(4)
    page.keyboard.press("j")
    assert page.locator(".symbol.partner").count() == 1
    page.keyboard.press("Enter")
    expect(page.locator(".symbol")).to_have_count(3)
    page.keyboard.press("Delete")
    expect(page.locator(".symbol")).to_have_count(2)
    page.keyboard.press("z")
    expect(page.locator(".symbol")).to_have_count(3)
    page.keyboard.press("a")
    page.wait_for_selector(".line-tools .done")
    assert len(store) == 3
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_a_photograph_s_boxes_can_be_tapped(server: PageServer, tmp_path: Path, open_page: Open) -> None:
    """A picture is read and shown with its boxes; what is no picture is told in one line."""
    (tmp_path / "photo.jpg").write_bytes(jpeg(draw_scene("3+4", seed=5, width=800, height=400).picture))
    (tmp_path / "text.jpg").write_bytes(b"hello")
    page = open_page(server, "photo")
    page.set_input_files("#photo-file", tmp_path / "photo.jpg")
    page.wait_for_selector("#photo-stage .overlay rect")
    boxes = page.locator("#photo-stage .overlay rect")
    assert boxes.count() == page.locator("#photo-panel .symbol").count() >= 3
    boxes.first.click()
    assert page.locator("#photo-panel .tray").is_visible()
    page.click("#photo-again")
    assert page.locator("#drop").is_visible()


def test_a_picture_that_is_none_is_told(browser: Any, server: PageServer, tmp_path: Path) -> None:
    """The device's own line is shown, and another picture can be chosen at once."""
    (tmp_path / "text.jpg").write_bytes(b"hello")
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(f"{server.url}#photo")
    page.set_input_files("#photo-file", tmp_path / "text.jpg")
    page.wait_for_selector(".toast.bad")
    assert "is no picture" in page.inner_text(".toast.bad")
    assert page.locator("#drop").is_visible()
    context.close()
