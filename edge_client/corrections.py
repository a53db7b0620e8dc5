"""What a person says that pictures are: it goes to the store at once, and the device hears of it after a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from edge_client.sample_store import Added, SampleStore
from shared.errors import DataError
from shared.labels import canonical_label
from shared.sample import SIDE, Sample

SETTLE_S = 2.0
"""The device hears of corrections when none came for so long: a round that waits for samples should find a whole
line corrected, not its first symbol."""


class Corrections:
    """Takes corrections and withdrawals from any thread. They are part of the device's next training.

    Args:
        store: where samples go.
        writer: whose handwriting it is.
        changed: told, from a thread of its own, that the store has changed; see `Device.samples_changed`.
        settle_s: see `SETTLE_S`.
    """

    def __init__(
        self,
        store: SampleStore,
        *,
        writer: str,
        changed: Callable[[], None] = lambda: None,
        settle_s: float = SETTLE_S,
    ) -> None:
        self.writer = writer
        self._store = store
        self._changed = changed
        self._settle_s = settle_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def add(self, samples: Sequence[tuple[Sample, str]], *, source: str) -> Added:
        """Store what a person says that pictures are; see `SampleStore.correct`.

        Args:
            samples: pictures ``(45, 45) uint8``, ink 255 on paper 0, and labels in any of their spellings.
            source: where the pictures came from, for people: ``camera``, ``canvas``, ``photo``.

        Raises:
            DataError: a picture is no sample, or a label is empty; nothing was stored.
            StorageError: the store cannot be written; nothing was stored.
        """
        checked = [(_checked(image), _label(label)) for image, label in samples]
        added = self._store.correct(checked, writer=self.writer, source=source)
        if added.added or added.replaced or added.left:
            self._tell()
        return added

    def delete(self, number: int) -> bool:
        """Delete one sample of the store by its number; return whether there was one."""
        deleted = self._store.delete(number)
        if deleted:
            self._tell()
        return deleted

    def delete_all(self) -> int:
        """Delete every sample of the store; return how many there were."""
        deleted = self._store.delete_all()
        self._tell()
        return deleted

    def close(self) -> None:
        """Tell no more."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()

    def _tell(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = threading.Timer(self._settle_s, self._changed)
            self._timer.daemon = True
            self._timer.start()


def _checked(image: Sample) -> Sample:
    if image.shape != (SIDE, SIDE) or image.dtype != np.uint8:
        raise DataError(f"expected a sample (45, 45) uint8, got {image.dtype} of shape {image.shape}")
    if not image.any():
        raise DataError("the sample has no ink: every pixel is paper")
    return image


def _label(spelling: str) -> str:
    label = canonical_label(spelling)
    if not label or not label.isprintable() or len(label) > 64:
        raise DataError(f"{spelling[:64]!r} is no label: give one or more printable characters, 64 at most")
    return label
