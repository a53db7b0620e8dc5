"""Gives every device its sample store, filled, before the device itself is started."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.simulate.plan import DevicePlan
from edge_client.device_folder import DeviceFolder
from edge_client.sample_store import SampleStore
from shared.files import write_bytes

READY = "stores.ready"
"""Beside the devices' folders, once all stores are filled: a resumed run takes them as they are."""


def fill_stores(
    folder: Path,
    devices: Sequence[DevicePlan],
    *,
    source: str,
    stopped: Callable[[], bool] = lambda: False,
    threads: int = 8,
) -> None:
    """Write the samples of each device into ``folder/NAME``; nothing is done where that was done before.

    Args:
        folder: of all the devices of a run.
        devices: who holds what.
        source: where the samples came from, for people.
        stopped: asked before each device; True ends the work early, and it is not marked as done.
        threads: SQLite waits for the disk at every commit; so many devices wait at once.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    if (folder / READY).exists():
        return
    given_up = threading.Event()

    def fill(device: DevicePlan) -> None:
        if given_up.is_set() or stopped():
            given_up.set()
            return
        try:
            with SampleStore.open(DeviceFolder(folder / device.name).samples, max_samples=0) as store:
                store.add(device.data, source=source)
        except BaseException:
            given_up.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="stores") as pool:
        for done in [pool.submit(fill, device) for device in devices]:
            done.result()
    if not given_up.is_set():
        write_bytes(folder / READY, b"")
