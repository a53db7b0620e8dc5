"""A labelled set of canonical samples, each with the writer it came from."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from shared.files import write_bytes
from shared.labels import LabelSet
from shared.sample import SIDE

UNKNOWN_WRITER = ""
"""The writer of a sample that nobody knows the writer of."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples, their labels and their writers, in one order.

    Attributes:
        images: ``(n, 45, 45) uint8``, ink 255 on paper 0.
        labels: ``(n,) str``, canonical labels.
        writers: ``(n,) str``; the empty string where the writer is unknown.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.str_]
    writers: NDArray[np.str_]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.images.shape != (n, SIDE, SIDE) or self.images.dtype != np.uint8:
            raise DataError(
                f"expected images ({n}, 45, 45) uint8, got {self.images.dtype} of shape {self.images.shape}"
            )
        if self.labels.shape != (n,) or self.writers.shape != (n,):
            raise DataError(f"expected {n} labels and writers, got shapes {self.labels.shape} and {self.writers.shape}")

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> Dataset:
        """Return the samples at these indices, or where this mask is true."""
        return Dataset(self.images[chosen], self.labels[chosen], self.writers[chosen])

    def only(self, labels: LabelSet) -> Dataset:
        """Return the samples whose label is in the set."""
        return self.take(np.isin(self.labels, np.array(labels.labels)))

    def counts(self) -> dict[str, int]:
        """Count the samples of each label, most first."""
        return dict(Counter(self.labels.tolist()).most_common())

    def writers_by_samples(self) -> list[str]:
        """Name the known writers, the one with the most samples first; ties in the order of their names."""
        counted = Counter(writer for writer in self.writers.tolist() if writer != UNKNOWN_WRITER)
        return sorted(counted, key=lambda writer: (-counted[writer], writer))

    def save(self, path: Path) -> None:
        """Write the set as an npz with the keys ``X``, ``y`` and ``writer``, whole or not at all.

        The same set gives the same bytes.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        # Compressed in memory first: NumPy leaves a zip half open when the disk is full, and that error hides this one.
        packed = io.BytesIO()
        np.savez_compressed(packed, X=self.images, y=self.labels, writer=self.writers)
        write_bytes(path, packed.getbuffer())


def writer_name(given: str) -> str:
    """Return a writer's name; the empty string where it says that nobody knows."""
    name = given.strip()
    return UNKNOWN_WRITER if name.lower() in ("", "unknown", "none", "nan", "n/a") else name


def concatenate(parts: Sequence[Dataset]) -> Dataset:
    """Join datasets in order.

    Raises:
        DataError: there are none.
    """
    if not parts:
        raise DataError("no dataset to join; give at least one")
    return Dataset(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.writers for part in parts]),
    )
