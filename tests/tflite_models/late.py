"""A library that takes seconds to load, for the tests that need it: on one worker of several, and at no collection."""

from __future__ import annotations

from typing import Any

import pytest

ON_ONE_WORKER = pytest.mark.xdist_group("tensorflow")


class Late:
    """Stands for a module until something of it is asked for; where it is not installed, that skips the test."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(pytest.importorskip(self._name), name)
