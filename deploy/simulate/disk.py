"""Room on the disk: asked for before a simulation begins, and watched while it runs.

A device out in the world goes on trying when its disk is full, because somebody may make room. A simulation ends and
says so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from deploy.report.wording import size
from shared.errors import StorageError

SAMPLE_BYTES = 2_600
"""A sample in a device's store: 45×45 pixels and what is known of them."""

DEVICE_BYTES = 150_000
"""A device's folder without samples and weights: its database's own pages, its log."""

LOOK_EVERY_S = 1.0


def needed_bytes(*, samples: int, devices: int, in_a_round: int, weights_bytes: int) -> int:
    """Estimate the room that one run takes.

    Args:
        samples: on all devices together.
        devices: how many there are.
        in_a_round: how many of them train in a round: each keeps what it fetched, and its update, which the
            aggregator keeps too.
        weights_bytes: of the model.
    """
    return samples * SAMPLE_BYTES + devices * DEVICE_BYTES + (3 * in_a_round + 8) * weights_bytes


class DiskWatch:
    """Raises when there is hardly any room left.

    Args:
        folder: on the disk that is watched; it need not be there yet.
        margin_bytes: what must be left.
        free: how many bytes are free; of the system unless given.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        folder: Path,
        *,
        margin_bytes: int,
        free: Callable[[Path], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._margin_bytes = margin_bytes
        self._free = free or free_bytes
        self._clock = clock
        self._looked_at = float("-inf")

    def require(self, wanted_bytes: int) -> None:
        """Make sure that there is room for a run.

        Raises:
            StorageError: there is not; the line says how much there should be.
        """
        free = self._free(self._folder)
        if free < wanted_bytes + self._margin_bytes:
            raise StorageError(
                f"the disk of {self._folder} has {size(free)} left, and the run needs about "
                f"{size(wanted_bytes + self._margin_bytes)}; make room, or give --out on another disk"
            )

    def check(self) -> None:
        """Look again, once a second at most.

        Raises:
            StorageError: there is less left than the margin.
        """
        if self._clock() < self._looked_at + LOOK_EVERY_S:
            return
        self._looked_at = self._clock()
        free = self._free(self._folder)
        if free < self._margin_bytes:
            raise StorageError(f"the disk of {self._folder} is full: {size(free)} left; make room")


def free_bytes(folder: Path) -> int:
    """Return how many bytes a user may still write where this folder is, or will be."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    status = os.statvfs(there)
    return status.f_bavail * status.f_frsize
