"""Tests that share what is dear, or must not run beside each other, run on one worker."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_a_group_is_kept_together(request: pytest.FixtureRequest) -> None:
    """Where tests are spread over workers by groups, a test's name ends with its group."""
    spread = request.config.getoption("loadgroup", False)
    assert request.node.nodeid.endswith("@together") == spread
