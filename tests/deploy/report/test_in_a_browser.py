"""The page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.report.page import report_page
from tests.deploy.report.synthetic import record


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of a small run, and one of a large comparison."""
    folder = tmp_path_factory.mktemp("reports")
    made = {"small": record("writer"), "large": record("iid", "shards", "writer", devices=190, rounds=40, per_round=10)}
    for name, one in made.items():
        (folder / f"{name}.html").write_text(report_page(one), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("name", ["small", "large"])
@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (1100, "dark"), (360, "light")])
def test_the_page_is_readable_everywhere(
    browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    """No error, no request, no sideways scrolling, all charts there, and text that stands out from the paper."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    faults: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(pages[name].as_uri())
    assert faults == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    charts = page.locator("svg.chart")
    assert charts.count() == (6 if name == "small" else 8)
    boxes = [charts.nth(i).bounding_box() for i in range(charts.count())]
    assert all(box["width"] > 150 and box["height"] > 100 for box in boxes)
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert abs(_brightness(ink) - _brightness(paper)) > 150
    assert (_brightness(paper) < 60) == (scheme == "dark")
    context.close()


def _brightness(colour: str) -> float:
    channels = [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(channels) / 3
