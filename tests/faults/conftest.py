"""Fleets for tests that kill; whatever runs after a test is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.brokers import RunningBroker
from deploy.brokers.mosquitto import executable
from deploy.chaos.broker import MortalBroker
from edge_client.trainer import Trainer
from tests.broker_fixtures import need
from tests.faults.network_fleet import FleetAt, Lines
from tests.faults.process_fleet import NAMES, Fleet, new_fleet


@pytest.fixture(scope="session")
def trainer() -> Iterator[Trainer]:
    """One interpreter for all devices of these tests."""
    one = Trainer()
    yield one
    one.close()


@pytest.fixture(scope="session")
def make_fleet(
    mosquitto: RunningBroker, trainer: Trainer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Fleet]]:
    """Make fleets with a name of their own at the same broker."""
    made: list[Fleet] = []

    def make() -> Fleet:
        made.append(new_fleet(mosquitto, folder=tmp_path_factory.mktemp("fleet"), trainer=trainer))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def fleet(make_fleet: Callable[[], Fleet]) -> Iterator[Fleet]:
    """A fleet that is ended with the test."""
    one = make_fleet()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def undisturbed(make_fleet: Callable[[], Fleet]) -> str:
    """The hash of the weights that the fleet comes to when nobody disturbs it."""
    one = make_fleet()
    one.devices(*NAMES)
    summary = one.aggregator().end()
    one.stop()
    assert summary.finished
    return summary.weights_sha256


@pytest.fixture
def lines(fleet: Fleet) -> Iterator[Lines]:
    """Lines for the fleet's parts; the parts are ended before them."""
    with ExitStack() as stack:
        yield Lines(fleet, stack)
        fleet.stop()


@pytest.fixture
def fleet_at(trainer: Trainer, tmp_path: Path) -> Iterator[FleetAt]:
    """Make a fleet at a broker of the test's own."""
    made: list[Fleet] = []

    def make(broker: RunningBroker) -> Fleet:
        made.append(new_fleet(broker, folder=tmp_path, trainer=trainer))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def own_mosquitto(tmp_path: Path) -> Iterator[Callable[..., MortalBroker]]:
    """Start a Mosquitto with settings of its own, that may be killed."""
    need(executable() is not None, "Mosquitto is not installed (apt install mosquitto)")
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            MortalBroker("mosquitto", folder=tmp_path / "mosquitto", settings=settings)
        )
