"""The page in a real browser: written on, put right, looked at on a phone, in the dark and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_client.camera import open_source
from edge_client.expression import Solver
from edge_client.live import LiveReader
from edge_client.page.backend import Backend
from edge_client.page.device_page import device_page
from edge_client.sample_store import SampleStore
from shared.web.server import PageServer
from tests.browser_fixtures import PATIENCE_MS, Open
from tests.edge_client.page.handwritten import strokes_of
from tests.reading_scenes import draw_scene, jpeg

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

SECTIONS = ("live", "draw", "photo", "samples", "learning")


@pytest.fixture(scope="module")
def page_of_any(browser: Any, any_server: PageServer) -> Iterator[Any]:
    """A page for tests that leave it as it is."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(any_server.url)
    page.wait_for_selector("html[data-ready]")
    yield page
    context.close()


def _write(page: Any, strokes: Sequence[NDArray[np.float64]]) -> None:
    """Write on the paper with the mouse."""
    paper = page.locator("#canvas").bounding_box()
    for stroke in strokes:
        points = [(paper["x"] + x, paper["y"] + y) for x, y in stroke.tolist()]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def _wait_for_text(page: Any, text: str) -> None:
    """Wait until a line on the draw section is read so."""
    page.wait_for_selector(f'#draw-panel .line .formula[aria-label="{text}"]')


def test_an_expression_drawn_with_the_mouse_is_read(server: PageServer, open_page: Open) -> None:
    """It appears beneath while it is written, with its value; undo takes a stroke back, clear takes all."""
    page = open_page(server, "draw")
    _write(page, strokes_of(["3", "+", "4"]))
    _wait_for_text(page, "3+4")
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
    _write(page, strokes_of(["x", "=", "5"]))
    _wait_for_text(page, "x=5")
    assert page.locator("#draw-panel .line-value").count() == 0


def test_a_tap_puts_a_symbol_right(server: PageServer, store: SampleStore, open_page: Open) -> None:
    """The tapped symbol gets the label that is tapped; the sample is in the store, and the page says so."""
    page = open_page(server, "draw", width=390, height=800, touch=True)
    _write(page, strokes_of(["3", "+", "4"], height=44, x=30))
    _wait_for_text(page, "3+4")
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
    _wait_for_text(page, "3*4")
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
    _write(page, strokes_of(["3", "+", "4"]))
    _wait_for_text(page, "3+4")
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
    _write(page, strokes_of(["3", "+", "4"]))
    _wait_for_text(page, "3+4")
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


@pytest.mark.parametrize(("width", "scheme"), [(1180, "dark"), (320, "light")])
def test_every_section_is_readable_everywhere(server: PageServer, width: int, scheme: str, open_page: Open) -> None:
    """No sideways scrolling, every control has a name, and text stands out from its ground (WCAG 2.2, 1.4.3)."""
    page = open_page(server, "draw", width=width, height=640, scheme=scheme, touch=width < 500)
    _write(page, strokes_of(["3", "+", "4"], height=34, x=20))
    _wait_for_text(page, "3+4")
    page.click("#draw-panel .symbol >> nth=0")
    page.evaluate("document.getElementById('state-text').textContent = 'Training is paused'")
    assert page.evaluate("(e => e.scrollWidth <= e.clientWidth)(document.getElementById('state-text'))"), "it is cut"
    for section in ("draw", *SECTIONS):
        page.evaluate("section => location.hash = section", section)
        page.wait_for_selector(f"#view-{section}:not([hidden])")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, section
        nameless = page.eval_on_selector_all(
            "button, a, input",
            "all => all.filter(e => !(e.ariaLabel || e.innerText?.trim() || e.labels?.length || e.title)"
            " && e.offsetParent).map(e => e.outerHTML)",
        )
        assert nameless == [], section
    ground = _colours(page, "--card")["--card"]
    for name, colour in _colours(page, "--text", "--soft", "--accent", "--sure", "--doubtful", "--unsure").items():
        assert _contrast(colour, ground) >= 4.5, f"{name} on the {scheme} card"


@pytest.mark.parametrize(
    ("text", "bars", "raised", "shown"),
    [
        ("3x^2-x/4", 1, 1, "3x2−x4"),
        ("(-1+sqrt(5))/2", 1, 0, "−1+√52"),
        ("2^(10)", 0, 1, "210"),
        ("1/(2/3)", 2, 0, "123"),
        ("(a+b)(a-b)", 0, 0, "(a+b)(a−b)"),
        ("x+", 0, 0, "x+"),
        ("<b>", 0, 0, "<b>"),
    ],
)
def test_values_are_typeset(page_of_any: Any, text: str, bars: int, raised: int, shown: str) -> None:
    """Fractions and powers of a value are laid out; what is no expression stays text."""
    drawn = page_of_any.evaluate(
        """text => import("/assets/maths.js").then(maths => {
          const drawn = maths.asciiFormula(text);
          const count = name => drawn.querySelectorAll(name).length;
          return [count(".over-under"), count(".raised"), drawn.textContent];
        })""",
        text,
    )
    assert drawn == [bars, raised, shown]


def test_the_switch_between_dark_and_light(server: PageServer, open_page: Open) -> None:
    """The page begins as the system likes it; a person's choice is remembered."""
    page = open_page(server, "draw", scheme="dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert _luminance(_colours(page, "--paper")["--paper"]) > 0.8


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


def test_motion_is_reduced_where_that_is_wanted(browser: Any, server: PageServer) -> None:
    """Nothing moves by itself for who has asked for that."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("html[data-ready]")
    page.evaluate("document.querySelector('.dot').className = 'dot busy'")
    assert page.evaluate("getComputedStyle(document.querySelector('.dot')).animationName") == "none"
    context.close()


def _colours(page: Any, *names: str) -> dict[str, tuple[float, float, float]]:
    """Return custom properties as linear red, green and blue from 0 to 1."""
    told: dict[str, list[int]] = page.evaluate(
        """names => Object.fromEntries(names.map(name => {
          const probe = document.body.appendChild(document.createElement("i"));
          probe.style.color = `var(${name})`;
          const colour = getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).map(Number);
          probe.remove();
          return [name, colour];
        }))""",
        list(names),
    )
    linear = {name: [_linear(channel / 255) for channel in colour] for name, colour in told.items()}
    return {name: (red, green, blue) for name, (red, green, blue) in linear.items()}


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _luminance(colour: tuple[float, float, float]) -> float:
    return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]


def _contrast(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    low, high = sorted([_luminance(one), _luminance(other)])
    return (high + 0.05) / (low + 0.05)
