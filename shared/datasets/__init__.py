"""Importers: whatever the path is, its symbols come out as canonical samples, with a report of what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.dataset import Dataset
from shared.datasets.detect import read_any
from shared.datasets.report import ImportReport, LeftOut, Progress, Tally
from shared.labels import LabelSet

__all__ = ["ImportReport", "Imported", "LeftOut", "Progress", "open_dataset"]


@dataclass(frozen=True)
class Imported:
    """A dataset, and the report of how it was read.

    Attributes:
        dataset: the canonical samples.
        report: what was taken, and what was left out and why.
    """

    dataset: Dataset
    report: ImportReport


def open_dataset(
    path: Path,
    *,
    labels: LabelSet | None = None,
    ink_width_px: float | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Read whatever dataset lies at a path.

    Args:
        path: an npz, a zip, a tar or a folder.
        labels: the classes to take; all of them where None.
        ink_width_px: how wide to draw ink that comes as strokes, in pixels of the 45×45 sample.
        progress: told ``(done, total)`` as it goes on.

    Raises:
        DataError: there is nothing there that can be used; the message says why in one line.
    """
    tally = Tally(str(path), "no layout that is known")
    dataset = read_any(path, labels=labels, tally=tally, ink_width_px=ink_width_px, progress=progress)
    return Imported(dataset, tally.report(dataset, labels=labels))
