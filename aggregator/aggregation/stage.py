"""What a stage of an aggregation takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.measurements import Measurements
from shared.errors import RunError
from shared.tensors import Tensors


class Updates(Protocol):
    """The updates of a round, **in the order of their devices' names**, read one tensor at a time.

    The order is part of the contract: float64 sums depend on it in their last bits, and the result may not depend on
    which update arrived first.
    """

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices' names, rising."""

    @property
    def samples(self) -> tuple[int, ...]:
        """How many samples each update was trained on."""

    def tensor(self, position: int, name: str) -> NDArray[np.float32]:
        """Read one parameter of the update at this position."""


def read_checked(updates: Updates, position: int, name: str, *, like: NDArray[np.float32]) -> NDArray[np.float32]:
    """Read one parameter of one update, and hold its shape and dtype against the base's: NumPy would broadcast.

    Values that are not finite are refused here too, whoever let them pass: one NaN would be in everybody's weights.

    Raises:
        RunError: it does not fit, or is not finite.
    """
    tensor = updates.tensor(position, name)
    if tensor.shape != like.shape or tensor.dtype != np.float32:
        raise RunError(
            f"update of {updates.devices[position]}, tensor {name}: expected float32 of shape {like.shape}, "
            f"got {tensor.dtype} of shape {tensor.shape}"
        )
    if not np.isfinite(tensor).all():
        raise RunError(f"update of {updates.devices[position]}, tensor {name}: expected finite values")
    return tensor


def step_squared(tensor: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    """Return the sum of the squares of the difference, in float64.

    Not by a dot product: BLAS sums in an order that depends on its threads, and what is clipped must not.
    """
    step = np.subtract(tensor, before, dtype=np.float64)
    return float(np.square(step, out=step).sum())


class Transform(Protocol):
    """A stage that gives other updates."""

    def apply(self, updates: Updates, *, base: Tensors) -> tuple[Updates, Measurements]:
        """Return the updates as the next stage is to see them, and what was measured.

        Args:
            updates: of the round.
            base: the weights that the updates started from.
        """


class Rule(Protocol):
    """A stage that makes one set of weights of many."""

    def combine(self, updates: Updates, *, base: Tensors) -> Aggregate:
        """Return the next weights, with the names, shapes and order of ``base``.

        Raises:
            TooFewUpdatesError: there are too few for the hostile ones that the rule assumes.
            RunError: there are no updates, their weights sum to nothing, or one does not fit.
        """


@dataclass(frozen=True)
class Aggregate:
    """The next global weights, and what was measured on the way."""

    weights: Tensors
    measurements: Measurements

    def with_numbers(self, **numbers: float) -> Aggregate:
        """The same with more numbers measured."""
        return Aggregate(self.weights, self.measurements | Measurements(numbers))


class InMemoryUpdates:
    """Updates that are in memory already; for small ones, and for tests.

    Args:
        updates: the tensors and the samples of each device.
    """

    def __init__(self, updates: Mapping[str, tuple[Tensors, int]]) -> None:
        self._updates = [(device, *updates[device]) for device in sorted(updates)]

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(device for device, _, _ in self._updates)

    @property
    def samples(self) -> tuple[int, ...]:
        return tuple(samples for _, _, samples in self._updates)

    def tensor(self, position: int, name: str) -> NDArray[np.float32]:
        return self._updates[position][1][name]
