"""Room on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.simulate.disk import DiskWatch, free_bytes, needed_bytes
from shared.errors import StorageError


def test_a_run_that_has_no_room_does_not_begin() -> None:
    """The line says how much is left and how much it takes."""
    watch = DiskWatch(Path("out"), margin_bytes=1_000_000, free=lambda folder: 5_000_000)
    watch.require(4_000_000)
    with pytest.raises(StorageError, match=r"has 5\.0.MB left, and the run needs about 5\.1.MB"):
        watch.require(4_100_000)


def test_a_disk_that_fills_up_is_noticed_within_a_second() -> None:
    """It is looked at once a second, however often it is asked."""
    now, free, looks = [0.0], [2_000_000], [0]

    def look(folder: Path) -> int:
        looks[0] += 1
        return free[0]

    watch = DiskWatch(Path("out"), margin_bytes=1_000_000, free=look, clock=lambda: now[0])
    watch.check()
    free[0] = 900_000
    now[0] = 0.5
    watch.check()
    assert looks[0] == 1
    now[0] = 1.0
    with pytest.raises(StorageError, match="is full"):
        watch.check()


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_its_parent(tmp_path: Path) -> None:
    """Asked before anything is made."""
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_what_a_run_needs_grows_with_devices_and_samples() -> None:
    """More of anything takes more room; the weights count for every device that trains in a round."""
    little = needed_bytes(samples=100, devices=2, in_a_round=2, weights_bytes=1_000_000)
    assert little > 6_000_000
    assert needed_bytes(samples=200, devices=2, in_a_round=2, weights_bytes=1_000_000) > little
    assert needed_bytes(samples=100, devices=9, in_a_round=2, weights_bytes=1_000_000) > little
    assert needed_bytes(samples=100, devices=2, in_a_round=3, weights_bytes=1_000_000) > little + 2_000_000
