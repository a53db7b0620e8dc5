"""Lines and brokers for tests that disturb them, around the fleet of `tests.faults.process_fleet`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.brokers import RunningBroker
from deploy.brokers.mosquitto import executable
from deploy.chaos.broker import MortalBroker
from deploy.chaos.proxy import Proxy
from edge_client.trainer import Trainer
from tests.broker_fixtures import need
from tests.faults.process_fleet import NAMES, ROUNDS, Fleet, LocalAggregator, new_fleet

WEIGHTS_BYTES = 1_442_000
"""What a device fetches in a round, and sends: the default network's weights."""


def chunks_only(topic: str) -> bool:
    """Whether a topic carries what is asked for again when it does not come, and nothing else."""
    return "/chunk/" in topic or "/blob/" in topic


class Lines:
    """A fleet whose parts each have a line of their own to the broker.

    Args:
        fleet: its parts are started here.
        stack: ends the lines.
    """

    def __init__(self, fleet: Fleet, stack: ExitStack) -> None:
        self.fleet = fleet
        self._stack = stack
        self.of: dict[str, Proxy] = {}

    def to(self, name: str) -> Proxy:
        """The line of a device, or of the ``aggregator``."""
        if name not in self.of:
            rng = np.random.default_rng(len(self.of))
            self.of[name] = self._stack.enter_context(Proxy(self.fleet.broker.address, rng=rng))
        return self.of[name]

    def device(self, name: str) -> None:
        """Start a device behind its line."""
        self.fleet.device(name, broker=str(self.to(name).address))

    def aggregator(self, **options: Any) -> LocalAggregator:
        """Start the aggregator behind its line."""
        return self.fleet.aggregator(broker=str(self.to("aggregator").address), **options)


@pytest.fixture
def lines(fleet: Fleet) -> Iterator[Lines]:
    """Lines for the fleet's parts; the parts are ended before them."""
    with ExitStack() as stack:
        yield Lines(fleet, stack)
        fleet.stop()


FleetAt = Callable[[RunningBroker], Fleet]


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


def every_update_counted_once(aggregator: LocalAggregator) -> bool:
    """Whether each device's update counted once in each round."""
    accepted = [(e["round"], e["device"]) for e in aggregator.all if e.get("verdict") == "accepted"]
    return sorted(accepted) == [(number, name) for number in range(1, ROUNDS + 1) for name in NAMES]
