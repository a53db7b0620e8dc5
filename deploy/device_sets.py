"""A dataset dealt out to devices, as files: one npz a device in a folder that is whole or not there at all."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from shared.dataset import Dataset
from shared.errors import SettingsError, StorageError
from shared.partition import Indices, Partition, device_names, partition_summary


def account_of_devices(dataset: Dataset, parts: list[Indices], *, way: Partition, folder: Path) -> list[dict[str, Any]]:
    """Tell what each device gets, as plain JSON values.

    Args:
        dataset: what was dealt out.
        parts: what ``partition`` returned.
        way: the partition.
        folder: where the files go.
    """
    summary = partition_summary(dataset, parts)
    people = dataset.writers_by_samples() if way.kind == "writer" else []
    return [
        {
            "device": name,
            "samples": int(row.sum()),
            "labels": {label: int(count) for label, count in zip(summary.labels, row, strict=True) if count},
            **({"writer": people[i]} if people else {}),
            "out": str(folder / f"{name}.npz"),
        }
        for i, (name, row) in enumerate(zip(summary.devices, summary.counts, strict=True))
    ]


def write_devices(dataset: Dataset, parts: list[Indices], *, folder: Path) -> None:
    """Write one npz a device, all of them or none: in a folder beside, which then takes the place of ``folder``.

    Raises:
        SettingsError: the folder is a file, or holds what no split wrote.
        StorageError: it cannot be written, or the disk is full.
    """
    if folder.exists():
        if not folder.is_dir():
            raise SettingsError(f"--out {folder} is a file; name a folder")
        foreign = next(
            (file.name for file in folder.iterdir() if not re.fullmatch(r"device-\d+\.npz", file.name)), None
        )
        if foreign is not None:
            raise SettingsError(f"--out {folder} holds {foreign!r}, which no split wrote; name a new folder")
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.absolute().parent) as beside:
            new = Path(beside, "devices")
            new.mkdir()
            for name, part in zip(device_names(len(parts)), parts, strict=True):
                dataset.take(part).save(new / f"{name}.npz")
            if folder.exists():
                shutil.move(folder, Path(beside, "old"))
            new.rename(folder)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
