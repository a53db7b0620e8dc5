"""Lines and brokers for tests that disturb them, around the fleet of `tests.faults.process_fleet`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np

from deploy.brokers import RunningBroker
from deploy.chaos.proxy import Proxy
from tests.faults.fleet_parts import LocalAggregator
from tests.faults.process_fleet import NAMES, ROUNDS, Fleet

WEIGHTS_BYTES = 1_442_000
"""What a device fetches in a round, and sends: the default network's weights."""

FleetAt = Callable[[RunningBroker], Fleet]
"""Makes a fleet at a broker."""


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


def every_update_counted_once(aggregator: LocalAggregator) -> bool:
    """Whether each device's update counted once in each round."""
    accepted = [(e["round"], e["device"]) for e in aggregator.all if e.get("verdict") == "accepted"]
    return sorted(accepted) == [(number, name) for number in range(1, ROUNDS + 1) for name in NAMES]
