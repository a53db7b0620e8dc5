"""The page in a real browser: what it shows, in every light, and that nothing a device says becomes more than words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aggregator.engine import Rest
from aggregator.page.fleet_page import fleet_page
from shared.messages import Failure
from shared.web.server import PageServer
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.page.conftest import Shown, Watched, presence, standing
from tests.browser_fixtures import Open

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def _round(number: int, accuracy: float | None) -> dict[str, Any]:
    cost = {"participants": number % 3 + 1, "samples": 400, "wall_s": 2.5, "bytes_up": 2_000_000, "bytes_down": 10}
    return {"run": "run-1", "round": number, "accuracy": accuracy, "loss": 0.5, "holdout_after": None, **cost}


def test_a_run_in_a_browser(watch: Callable[..., Watched], devices: Callable[..., FakeDevice], open_page: Open) -> None:
    """It is waited for, it is followed without a reload, and its end is told when the aggregator is gone."""
    watched = watch(rounds=2, min_devices=2, quorum=1)
    page = open_page(watched.front)
    expect(page.locator("#now-title")).to_have_text("Waiting for devices")
    assert "No device has come yet" in page.inner_text("#devices")
    assert "The first point is drawn when a round is done" in page.inner_text("#accuracy")
    devices("good")
    devices("bad", trouble=HOSTILE)
    expect(page.locator("#contributions .bar-of")).to_have_count(2)
    expect(page.locator('.device:has(strong:text-is("good"))')).to_contain_text("round 2 counted")
    assert HOSTILE[:30] in page.inner_text("#log")
    watched.until("finished")
    watched.end()
    expect(page.locator("#state-text")).to_have_text("The run is finished")
    expect(page.locator("#now")).to_contain_text("The aggregator has ended")
    assert "owned" not in page.title()
    page.context.close()


def test_hostile_words_stay_words(shown: Shown, shown_server: PageServer, open_page: Open) -> None:
    """Names, reasons and activities are shown as they are written, and nothing in them is carried out."""
    failure = Failure(run="run-1", round=3, attempt=1, reason=HOSTILE)
    shown.say("listening", run="run-1", fleet="school", round=1)
    named = {
        HOSTILE: presence(activity=HOSTILE[:32]),
        "a": presence(activity="failed", failure=failure),
        "b": presence(),
    }
    shown.put(standing(named, rests={"b": Rest("b", 2, 2, 9, HOSTILE)}))
    shown.say("declined", round=3, attempt=1, device=HOSTILE, reason=HOSTILE)
    update = {"samples": 5, "verdict": "rejected", "reason": HOSTILE, "received": 0, "of": 1, "metrics": {}}
    shown.say("update", round=3, device=HOSTILE, **update)
    shown.say("blocked", reason=HOSTILE)
    shown.say("round", **_round(1, 0.5), aggregation={"suspects": {HOSTILE: HOSTILE}})
    page = open_page(shown_server)
    expect(page.locator(".device strong", has_text=HOSTILE)).to_have_count(1)
    assert page.inner_text("main").count(HOSTILE) >= 7
    assert page.locator("main img, main script").count() == 0
    assert "owned" not in page.title()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[PageServer]:
    """A page with something in every part of it."""
    shown = Shown(tmp_path, test_data="digits.npz")
    shown.begin()
    for number in range(1, 3):
        shown.say("round", **_round(number, 0.4 + 0.1 * number))
    shown.say("rested", device="cellar", failures=3, until=4, reason="its disk is full")
    shown.say("device", device="hall", online=True, devices=4)
    with PageServer(fleet_page(shown.news)) as server:
        yield server


@pytest.mark.parametrize(("width", "scheme"), [(1180, "dark"), (390, "light")])
def test_it_is_readable_everywhere(full: PageServer, width: int, scheme: str, open_page: Open) -> None:
    """No sideways scrolling, every control has a name, and text stands out from its ground (WCAG 2.2, 1.4.3)."""
    page = open_page(full, width=width, scheme=scheme, touch=width < 500)
    expect(page.locator(".device")).to_have_count(6)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    nameless = page.eval_on_selector_all(
        "button, a, input, svg[role=img], [role=group]",
        "all => all.filter(e => !(e.ariaLabel || e.innerText?.trim() || e.labels?.length)).map(e => e.outerHTML)",
    )
    assert nameless == []
    faint = page.evaluate(CONTRAST)
    assert faint == [], f"too faint in the {scheme}"


def test_by_keyboard_alone(full: PageServer, open_page: Open) -> None:
    """The curves tell of every round, the table opens, filters and the log's switch answer to keys."""
    page = open_page(full)
    page.focus("#accuracy svg")
    page.keyboard.press("Home")
    assert page.inner_text("#accuracy .caption") == "Round 1: 50.0\u202f% on the test set"
    page.keyboard.press("ArrowRight")
    assert "Round 2: 60.0" in page.inner_text("#accuracy .caption")
    page.focus("#rounds-table summary")
    page.keyboard.press("Enter")
    expect(page.locator("#rounds-table tbody tr")).to_have_count(2)
    page.focus('[data-filter="look"]')
    page.keyboard.press("Enter")
    expect(page.locator(".device strong")).to_have_text(["cellar"])
    page.focus("#only-trouble")
    page.keyboard.press("Space")
    expect(page.locator("#log li")).to_have_count(1)
    assert "rests until round 4" in page.inner_text("#log li")


def test_the_deadline_is_counted_down(full: PageServer, open_page: Open) -> None:
    """The time that is left grows shorter by itself, between two pieces of news."""
    page = open_page(full)
    before = page.inner_text(".clock")
    assert before.endswith("left")
    page.wait_for_function("before => document.querySelector('.clock').innerText !== before", arg=before)


CONTRAST = """() => {
  const luminance = (c) => c.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("main *, header *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("svg, .unseen")) continue;
    const [one, other] = [luminance(rgb(getComputedStyle(element).color).slice(0, 3)), luminance(ground(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${element.outerHTML.slice(0, 120)}`);
  }
  return faint;
}"""
