"""docs/reference/events.md is held against what the programs say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")

SPEAKERS = {
    "What an aggregator says": [*sorted((ROOT / "aggregator").glob("*.py"))],
    "What a device says": [*sorted((ROOT / "edge_client").glob("*.py")), ROOT / "deploy/cli/device.py"],
}
"""The page's sections, and the files that say what is in them."""


def said(files: list[Path]) -> Iterator[tuple[str, set[str]]]:
    """The kind and literal keys of every event in these files: ``say("kind", key=…)`` or ``{"event": "kind", …}``."""
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                if node.args and isinstance(node.args[0], ast.Constant):
                    yield str(node.args[0].value), {keyword.arg for keyword in node.keywords if keyword.arg}
            elif isinstance(node, ast.Dict):
                entries = {
                    key.value: value
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant)
                }
                if "event" in entries:
                    value = entries["event"]
                    either = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                    kinds = [leaf.value for leaf in either if isinstance(leaf, ast.Constant)]
                    yield from ((str(kind), {str(key) for key in entries} - {"event"}) for kind in kinds)


def documented(heading: str) -> dict[str, set[str]]:
    """The kinds of a section and the words in code beside each, those below the table included."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    kinds: dict[str, set[str]] = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            first, _, rest = line[1:].partition("|")
            kinds |= {kind: set(re.findall(r"`(\w+)`", rest)) for kind in re.findall(r"`(\w+)`", first)}
    for kind, keys in re.findall(r"`(\w+)` \((`\w+`(?:, `\w+`)*)\)", section):
        kinds.setdefault(kind, set(re.findall(r"`(\w+)`", keys)))
    return kinds


@pytest.mark.parametrize("heading", SPEAKERS)
def test_the_page_has_every_event_and_no_other(heading: str) -> None:
    """A kind of event that is said, and none beside, stands in its section."""
    assert set(documented(heading)) == {kind for kind, _ in said(SPEAKERS[heading])}


@pytest.mark.parametrize("heading", SPEAKERS)
def test_the_page_has_every_key(heading: str) -> None:
    """Beside each kind stand the keys that it is said with; a device's own name is said once for all."""
    page = documented(heading)
    for kind, keys in said(SPEAKERS[heading]):
        assert keys - page[kind] <= ({"device"} if heading == "What a device says" else set()), kind
