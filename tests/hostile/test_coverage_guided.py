"""The same promises under a fuzzer that looks for code it has not reached yet."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.parsers import parsers

RUNS = 20_000
OF_FILES = 2_000
"""Of those that are read from the disk, which is slower."""


@pytest.mark.parametrize("kind", [kind for kind in parsers() if kind != "program"])
def test_no_case_breaks_a_promise(kind: str, tmp_path: Path) -> None:
    """Cases guided by coverage, twenty thousand of each kind of message, are taken or refused in one line."""
    if importlib.util.find_spec("atheris") is None:
        message = "atheris is not installed: it has wheels for x86-64 alone (pip install atheris)"
        if os.environ.get("CI") and sys.platform == "linux" and os.uname().machine == "x86_64":
            pytest.fail(message)
        pytest.skip(message)
    runs = OF_FILES if kind in ("identity", "roster") else RUNS
    words = [sys.executable, "-m", "tests.hostile.coverage_guided", kind, f"-runs={runs}", "-seed=1"]
    path = str(Path(__file__).parents[2])
    done = subprocess.run(
        words, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"Done {runs} runs" in done.stderr
