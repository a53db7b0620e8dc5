"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from _pytest.nodeid import NodeId
from hypothesis import settings

from tests import ports
from tests.broker_fixtures import any_broker, ear, embedded_broker, fleet_id, mosquitto
from tests.browser_fixtures import browser, open_page

__all__ = ["any_broker", "browser", "ear", "embedded_broker", "fleet_id", "mosquitto", "open_page"]

REPOSITORY = Path(__file__).resolve().parent.parent

# The examples of a property are the same in every run, and no machine is too slow for them: what fails, fails again.
# INKFLEET_TEST_EXPLORE=1 python -m pytest tests/shared looks for examples that nobody has seen yet, other ones each
# time; what fails is kept in .hypothesis/ and tried first the next time.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("exploring", derandomize=False, deadline=None, print_blob=True)
settings.load_profile("exploring" if os.environ.get("INKFLEET_TEST_EXPLORE") else "repeatable")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests of one ``xdist_group`` on one worker, which goes by the end of a test's name.

    pytest-xdist writes it there itself, in a way that pytest has not looked at since 9.2.
    """
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        ending = f"@{'_'.join(groups)}"
        if groups and not item.nodeid.endswith(ending):
            item._id = NodeId.parse(item.nodeid + ending)


@pytest.fixture(scope="session")
def handwriting() -> Path:
    """The folder of real handwriting, which is not part of the project.

    ``INKFLEET_TEST_DATA`` names it; without it, ``../shared/data`` beside the repository is looked at. Where it is
    absent, the test is skipped by name in the summary, and in CI it fails.
    """
    named = os.environ.get("INKFLEET_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        message = f"real handwriting is not at {folder}; set INKFLEET_TEST_DATA to its folder"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture
def unused_port() -> int:
    """A TCP port of the loopback address that nothing listens on."""
    return ports.unused_port()
