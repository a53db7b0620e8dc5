"""A disk that is full: a small file system of the process's own, in a mount namespace that goes with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from tests.faults.fleet_parts import Process
from tests.faults.process_fleet import NAMES, Fleet

_SIZE_MIB = 24
_MOUNT = 'cp -a "$0" "$0.before" && mount -t tmpfs -o size=%dm none "$0" && cp -a "$0.before/." "$0" && exec "$@"'


@lru_cache
def can_mount() -> bool:
    """Whether this user may mount a file system where nobody else sees it."""
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", *_rights(), "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


def _rights() -> list[str]:
    return [] if os.geteuid() == 0 else ["-r"]


def on_small_disk(folder: Path) -> list[str]:
    """What a command is started by, so that this folder is a small disk to it, with what is in it already."""
    if not can_mount():
        message = "a disk cannot be filled here: this user may not mount one (unshare -m)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder.mkdir(parents=True, exist_ok=True)
    return ["unshare", *_rights(), "-m", "sh", "-c", _MOUNT % _SIZE_MIB, str(folder)]


class Disk:
    """The folder as the process has it."""

    def __init__(self, process: Process, folder: Path) -> None:
        # ``exec`` all the way: the number is that of the command itself.
        self.folder = Path(f"/proc/{process.process.pid}/root{folder}")
        self._ballast = self.folder / "ballast"

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def leave(self, size_bytes: int) -> None:
        """Leave so many bytes and no more."""
        self.fill()
        os.truncate(self._ballast, self._ballast.stat().st_size - size_bytes)

    def make_room(self) -> None:
        """Somebody tidies up."""
        self._ballast.unlink()

    def unfinished(self) -> list[Path]:
        """Files that were begun and not ended."""
        return [path for path in self.folder.rglob(".*") if path.is_file()]


def test_an_aggregator_without_room_accepts_nothing_and_goes_on_when_there_is_some(
    fleet: Fleet, undisturbed: str
) -> None:
    """It says so in a line, keeps the round open, tells no device anything, and loses nothing."""
    aggregator = fleet.aggregator_process(prefix=on_small_disk(fleet.run_folder))
    with fleet.held_training():
        devices = fleet.devices(*NAMES)
        aggregator.until("opened", round=1)
        disk = Disk(aggregator, fleet.run_folder)
        disk.fill()
    blocked = aggregator.until("blocked")
    assert "full" in blocked["reason"] or "No space left" in blocked["reason"]
    for one in devices:
        one.until("trained", round=1)
    assert not disk.unfinished()
    assert not [event for one in devices for event in one.all if event["event"] == "verdict"]
    disk.make_room()
    assert aggregator.until("unblocked")["reason"] == blocked["reason"]
    assert aggregator.until("finished")["weights_sha256"] == undisturbed
    said = [(event["round"], event["verdict"]) for event in aggregator.all if event["event"] == "update"]
    assert sorted(said) == [(1, "accepted"), (1, "accepted"), (2, "accepted"), (2, "accepted")]
    assert {event["attempt"] for event in aggregator.all if event["event"] == "opened"} == {1}


def test_an_aggregator_that_has_no_room_for_the_average_keeps_the_round_and_writes_it_when_there_is_some(
    fleet: Fleet, undisturbed: str
) -> None:
    """Every update fits, and what they come to does not: nothing is half-written, asked for again or counted twice."""
    aggregator = fleet.aggregator_process(prefix=on_small_disk(fleet.run_folder))
    with fleet.held_training():
        fleet.devices(*NAMES)
        aggregator.until("opened", round=1)
        disk = Disk(aggregator, fleet.run_folder)
        weights_bytes = (disk.folder / "checkpoints" / "round-000000.safetensors").stat().st_size
        disk.leave(int((len(NAMES) + 0.5) * weights_bytes))
    aggregator.until("closed", round=1)
    blocked = aggregator.until("blocked")
    assert "round-000001" in blocked["reason"]
    assert "No space left on device" in blocked["reason"]
    assert not disk.unfinished()
    disk.make_room()
    assert aggregator.until("unblocked")["reason"] == blocked["reason"]
    assert aggregator.until("finished")["weights_sha256"] == undisturbed
    said = [(event["round"], event["verdict"]) for event in aggregator.all if event["event"] == "update"]
    assert sorted(said) == [(1, "accepted"), (1, "accepted"), (2, "accepted"), (2, "accepted")]


def test_a_device_without_room_says_so_and_takes_part_again_when_there_is_some(fleet: Fleet, undisturbed: str) -> None:
    """It stays, its presence gives the reason, the round is opened again for it, and its update is the same."""
    folder = fleet.device_folder("b").path
    device = fleet.device_process("b", prefix=on_small_disk(folder))
    device.until("connected")
    disk = Disk(device, folder)
    disk.fill()
    aggregator = fleet.aggregator(quorum=2, max_attempts=1_000_000)
    fleet.device("a")
    declined = aggregator.until("declined", device="b")
    assert "No space left on device" in declined["reason"]
    assert not disk.unfinished()
    disk.make_room()
    assert aggregator.end().weights_sha256 == undisturbed
    failed = device.until("failed")
    assert failed["reason"] == declined["reason"]
    assert device.process.poll() is None
