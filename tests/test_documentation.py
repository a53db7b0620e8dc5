"""The tests that the documentation names as proof are there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

_FILE = re.compile(r"`(tests/[\w/]+\.py)`")
_NAME = re.compile(r"`(test_[^`]*)`")
_IN_FILE = re.compile(r"`(tests/[\w/]+\.py)`: `(test_[^`]*)`")


@cache
def collected(file: Path) -> dict[str, bool]:
    """The tests of a file, each with whether it runs in ``make soak`` alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    whole = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and "mark.soak" in ast.unparse(node)
        for node in tree.body
    )
    return {
        node.name: whole or any(ast.unparse(mark) in ("pytest.mark.soak", "SOAK") for mark in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def everywhere() -> dict[str, bool]:
    """All tests."""
    return {name: soak for file in (ROOT / "tests").rglob("test_*.py") for name, soak in collected(file).items()}


def cells(page: Path) -> Iterator[str]:
    """The cells of a page's tables, and its other lines."""
    for line in page.read_text(encoding="utf-8").splitlines():
        yield from line.split("|")


@pytest.mark.parametrize("page", [page for page in PAGES if "`test" in page.read_text()], ids=lambda page: page.name)
def test_the_tests_that_a_page_names_are_there(page: Path) -> None:
    """Each by its whole name, in the file that it is said to be in; those of ``make soak`` are said to be so."""
    known = everywhere()
    for cell in cells(page):
        for path in _FILE.findall(cell):
            assert (ROOT / path).is_file(), path
            # A file that is named without one of its tests stands for all of them.
            tests = collected(ROOT / path)
            if tests and all(tests.values()):
                assert "soak" in cell, path
        for path, name in _IN_FILE.findall(cell):
            assert name in collected(ROOT / path), f"{path} has no {name}"
        for name in _NAME.findall(cell):
            assert name in known, name
            assert "soak" in cell or not known[name], f"{name} runs in make soak alone"


def test_every_test_of_faults_is_in_the_table() -> None:
    """A file of ``tests/faults`` is named in the table of faults, or one of its tests is."""
    said = (ROOT / "docs" / "explanation" / "faults.md").read_text(encoding="utf-8")
    for file in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        missing = [name for name in collected(file) if name not in said]
        assert f"tests/faults/{file.name}" in said or len(missing) < len(collected(file)), file.name
