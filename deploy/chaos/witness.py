"""What a device saw, written down beside it: which updates it made, and what it was told of each.

The aggregator knows nothing of this record. Of every update it keeps a *mark*: the product of its weights with a fixed
random vector, one number in place of a megabyte. Marks are linear: that of a mean is the mean of the marks, so that a
round's weights show whether they are the mean of the very updates that were to count, each once
(`deploy.chaos.proof`). An update left out or counted twice moves the mark thousands of times further than rounding
does.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.numpy import load

from shared.errors import StorageError


class Seen(BaseModel):
    """One thing that a device saw.

    Attributes:
        kind: ``update`` (it was made, and lies on the device's disk) or ``verdict`` (the device was told).
        sha256: of the update.
        samples: that it was trained on.
        mark: see the module.
        verdict: as in the protocol; empty where there is none yet.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    device: str
    run: str
    round: int
    sha256: str
    samples: int = 0
    mark: float = 0.0
    verdict: str = ""


class Witness:
    """Listens to one device, and writes down what it sees; one thread uses it.

    A line is written at once, so that it outlives a process that is killed; what was on the device's disk before is
    seen at the start, where a death came between the update and its line.

    Args:
        path: of the record; lines are added.
        device: its name.
        outbox: the device's folder of the update that has no verdict yet.
    """

    def __init__(self, path: Path, *, device: str, outbox: Path) -> None:
        self._path = path
        self._device = device
        self._outbox = outbox
        self._made: dict[tuple[str, int], str] = {}

    def open(self) -> None:
        """See what is there already."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for seen in read_record(self._path):
            if seen.kind == "update":
                self._made[seen.run, seen.round] = seen.sha256
        self._look()

    def __call__(self, event: dict[str, Any]) -> None:
        """Take in an event of the device's."""
        if event["event"] == "trained":
            self._look()
        elif event["event"] == "verdict":
            key = (str(event["run"]), int(event["round"]))
            if key in self._made:
                self._write(
                    Seen(
                        kind="verdict",
                        device=self._device,
                        run=key[0],
                        round=key[1],
                        sha256=self._made[key],
                        verdict=event["verdict"],
                    )
                )

    def _look(self) -> None:
        """Write down the update that lies in the outbox."""
        try:
            manifest = json.loads((self._outbox / "update.json").read_bytes())
            key, sha256 = (str(manifest["run"]), int(manifest["round"])), str(manifest["blob"]["sha256"])
            if self._made.get(key) == sha256:
                return
            data = (self._outbox / f"{sha256}.safetensors").read_bytes()
        except (OSError, ValueError, KeyError):
            return  # there is none
        self._made[key] = sha256
        self._write(
            Seen(
                kind="update",
                device=self._device,
                run=key[0],
                round=key[1],
                sha256=sha256,
                samples=int(manifest["samples"]),
                mark=mark_of(load(data)),
            )
        )

    def _write(self, seen: Seen) -> None:
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(descriptor, seen.model_dump_json().encode() + b"\n")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(f"cannot write {self._path}: {error.strerror or error}") from None


def read_record(path: Path) -> Iterator[Seen]:
    """Read what a device saw, in order; a line that a crash cut off is passed over."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield Seen.model_validate_json(line)
        except ValidationError:
            continue


def mark_of(tensors: dict[str, NDArray[Any]]) -> float:
    """Return the product of weights with a fixed random vector (standard normal), in float64."""
    return float(
        sum(tensors[name].ravel().astype(np.float64) @ _vector(name, tensors[name].size) for name in sorted(tensors))
    )


@lru_cache(maxsize=64)
def _vector(name: str, size: int) -> NDArray[np.float32]:
    vector: NDArray[np.float32] = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(size, np.float32)
    return vector
