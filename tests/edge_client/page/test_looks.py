"""How the page looks in a real browser: on a phone, in the dark, at rest; and what its formulas look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.web.server import PageServer
from tests.browser_fixtures import PATIENCE_MS, Open
from tests.edge_client.page.by_hand import wait_for_text, write
from tests.edge_client.page.handwritten import strokes_of

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


@pytest.mark.parametrize(("width", "scheme"), [(1180, "dark"), (320, "light")])
def test_every_section_is_readable_everywhere(server: PageServer, width: int, scheme: str, open_page: Open) -> None:
    """No sideways scrolling, every control has a name, and text stands out from its ground (WCAG 2.2, 1.4.3)."""
    page = open_page(server, "draw", width=width, height=640, scheme=scheme, touch=width < 500)
    write(page, strokes_of(["3", "+", "4"], height=34, x=20))
    wait_for_text(page, "3+4")
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
