"""How one dataset is dealt out to the devices of a fleet, the ways the field compares, and how writers are held out.

================ ================================================================================================
``iid``          every device draws from the same pile
``dirichlet:A``  every device has its own mix of labels, drawn from a Dirichlet distribution (Hsu, Qi, Brown 2019)
``shards``       sorted by label and cut up, two shards a device (McMahan et al. 2017, section 3)
``writer``       one person a device: the writers with the most samples
================ ================================================================================================

Each takes a ``numpy.random.Generator``; the same dataset, partition and seed give the same devices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.dataset import UNKNOWN_WRITER, Dataset
from shared.errors import DataError, SettingsError

Indices = NDArray[np.intp]

MINIMUM_SAMPLES = 10
"""A Dirichlet draw in which a device gets fewer samples is drawn again, where there are enough for all."""

_DRAWS = 100  # before samples are moved from the fullest devices to those that lack some


@dataclass(frozen=True)
class Partition:
    """One way to deal a dataset out.

    Attributes:
        kind: which of the four.
        alpha: the concentration of ``dirichlet``: 100 is nearly iid, 0.1 leaves a device one or two labels.
        shards_per_device: for ``shards``.
    """

    kind: Literal["iid", "dirichlet", "shards", "writer"]
    alpha: float = 1.0
    shards_per_device: int = 2

    def __post_init__(self) -> None:
        if not (math.isfinite(self.alpha) and 0 < self.alpha <= 1e6):
            raise SettingsError(f"the alpha of a dirichlet partition lies above 0, up to 1e6; got {self.alpha}")
        if self.shards_per_device < 1:
            raise SettingsError(f"a device gets 1 shard or more; got {self.shards_per_device}")

    def __str__(self) -> str:
        """Return the spelling that ``parse_partition`` reads."""
        if self.kind == "dirichlet":
            return f"dirichlet:{self.alpha:g}"
        if self.kind == "shards" and self.shards_per_device != 2:
            return f"shards:{self.shards_per_device}"
        return self.kind


@dataclass(frozen=True)
class PartitionSummary:
    """How many samples of each label each device has, for pictures.

    Attributes:
        devices: the devices' names, in order.
        labels: the labels, in order.
        counts: ``(devices, labels) int64``.
    """

    devices: tuple[str, ...]
    labels: tuple[str, ...]
    counts: NDArray[np.int64]


def parse_partition(spec: str) -> Partition:
    """Read ``iid``, ``dirichlet:ALPHA``, ``shards``, ``shards:PER_DEVICE`` or ``writer``.

    Raises:
        SettingsError: it is none of these, or its number is out of range.
    """
    kind, colon, number = spec.strip().lower().partition(":")
    try:
        if kind == "iid" and not colon:
            return Partition("iid")
        if kind == "writer" and not colon:
            return Partition("writer")
        if kind == "shards":
            return Partition("shards", shards_per_device=int(number)) if colon else Partition("shards")
        if kind == "dirichlet":
            return Partition("dirichlet", alpha=float(number))
    except ValueError:
        pass
    raise SettingsError(
        f"no partition is called {spec!r}; choose writer, iid, shards or dirichlet:ALPHA, such as dirichlet:0.3"
    )


def partition(dataset: Dataset, spec: Partition | str, *, devices: int, rng: np.random.Generator) -> list[Indices]:
    """Deal a dataset out to devices.

    Under ``iid``, ``dirichlet`` and ``shards`` every sample goes to exactly one device. Under ``writer`` the samples
    of the chosen writers do, and no others; device i has the writer ``dataset.writers_by_samples()[i]``. No device
    is left empty.

    Args:
        dataset: what is dealt out.
        spec: the way, or its spelling.
        devices: how many devices.
        rng: decides the draw.

    Returns:
        For each device, the ascending indices of its samples.

    Raises:
        SettingsError: no such partition, fewer than one device, or more devices than writers.
        DataError: fewer samples than the devices need.
    """
    way = parse_partition(spec) if isinstance(spec, str) else spec
    if devices < 1:
        raise SettingsError(f"a fleet has 1 device or more; got {devices}")
    if way.kind == "writer":
        return _by_writer(dataset, devices)
    needed = devices * way.shards_per_device if way.kind == "shards" else devices
    if len(dataset) < needed:
        raise DataError(
            f"{len(dataset):,} samples do not go round: {devices} devices under {way} need {needed:,} at least; "
            "use fewer devices or more data"
        )
    if way.kind == "shards":
        parts = _shards(dataset, devices, way.shards_per_device, rng)
    elif way.kind == "dirichlet":
        parts = _dirichlet(dataset, devices, way.alpha, rng)
    else:
        parts = np.array_split(rng.permutation(len(dataset)), devices)
    return [np.sort(part).astype(np.intp, copy=False) for part in parts]


def hold_out_writers(dataset: Dataset, *, fraction: float, rng: np.random.Generator) -> tuple[Dataset, Dataset]:
    """Split a dataset by whole writers, so that the test set holds only hands that training never saw.

    Samples of unknown writers go to the training set: whose they are cannot be told, and a test set of known hands
    stays clean of everything but them.

    Args:
        dataset: what is split.
        fraction: the share of the known writers to hold out, above 0 and below 1; at least one writer is.
        rng: decides which.

    Returns:
        The training set and the test set, each in the order of ``dataset``.

    Raises:
        SettingsError: the fraction is out of range.
        DataError: fewer than two writers are known.
    """
    if not 0 < fraction < 1:
        raise SettingsError(f"the share of writers to hold out lies between 0 and 1; got {fraction}")
    known = sorted(set(dataset.writers.tolist()) - {UNKNOWN_WRITER})
    if len(known) < 2:
        found = f"only {known[0]!r} is" if known else "none is"
        raise DataError(f"holding out writers needs 2 known writers or more, and {found}; give a test set instead")
    count = min(max(1, round(fraction * len(known))), len(known) - 1)
    chosen = rng.permutation(len(known))[:count]
    held = np.isin(dataset.writers, np.array(known)[chosen])
    return dataset.take(~held), dataset.take(held)


def device_names(count: int) -> list[str]:
    """Name devices ``device-001`` and so on; the names sort in order and may stand in a topic or a file name."""
    width = max(3, len(str(count)))
    return [f"device-{number:0{width}d}" for number in range(1, count + 1)]


def partition_summary(dataset: Dataset, parts: list[Indices], *, devices: list[str] | None = None) -> PartitionSummary:
    """Count each device's samples of each label.

    Args:
        dataset: what was dealt out.
        parts: what ``partition`` returned.
        devices: the devices' names, ``device_names`` unless given.
    """
    labels, codes = np.unique(dataset.labels, return_inverse=True)
    counts = np.zeros((len(parts), len(labels)), np.int64)
    for row, part in zip(counts, parts, strict=True):
        row += np.bincount(codes[part], minlength=len(labels))
    names = devices if devices is not None else device_names(len(parts))
    return PartitionSummary(tuple(names), tuple(labels.tolist()), counts)


def _by_writer(dataset: Dataset, devices: int) -> list[Indices]:
    chosen = dataset.writers_by_samples()[:devices]
    if len(chosen) < devices:
        raise SettingsError(
            f"{devices} devices need a writer each, and the data name {len(chosen)}; "
            f"use at most {len(chosen)} devices or another partition"
            if chosen
            else "the data name no writers; use the partition iid, shards or dirichlet:ALPHA"
        )
    names, codes = np.unique(dataset.writers, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names) + 1))
    position = {name: i for i, name in enumerate(names.tolist())}
    return [order[starts[position[writer]] : starts[position[writer] + 1]].astype(np.intp) for writer in chosen]


def _shards(dataset: Dataset, devices: int, per_device: int, rng: np.random.Generator) -> list[Indices]:
    mixed = rng.permutation(len(dataset))
    by_label = mixed[np.argsort(dataset.labels[mixed], kind="stable")]
    shards = np.array_split(by_label, devices * per_device)
    dealt = rng.permutation(len(shards)).reshape(devices, per_device)
    return [np.concatenate([shards[i] for i in row]) for row in dealt]


def _dirichlet(dataset: Dataset, devices: int, alpha: float, rng: np.random.Generator) -> list[Indices]:
    """Draw each device's mix of labels q ~ Dir(α·C·p), and share each label out in proportion to the mixes.

    p is the share of each of the C labels in the data. Hsu et al. write Dir(α·p); the factor C makes α the
    concentration of one label, Dir(α, …, α) where the labels are balanced, which is how later work counts it.
    Sharing a label out in proportion to q uses every sample once and leaves the devices of about equal size.
    """
    labels, codes = np.unique(dataset.labels, return_inverse=True)
    totals = np.bincount(codes, minlength=len(labels))
    concentration = np.maximum(alpha * len(labels) * totals / totals.sum(), 1e-6)
    least = max(1, min(MINIMUM_SAMPLES, len(dataset) // (2 * devices)))
    best: NDArray[np.int64] | None = None
    for _ in range(_DRAWS):
        counts = _shares(rng.dirichlet(concentration, size=devices), totals, rng)
        if best is None or counts.sum(axis=1).min() > best.sum(axis=1).min():
            best = counts
        if counts.sum(axis=1).min() >= least:
            break
    assert best is not None
    _top_up(best, least)
    parts: list[list[Indices]] = [[] for _ in range(devices)]
    for label, column in enumerate(best.T):
        members = rng.permutation(np.flatnonzero(codes == label))
        for device, piece in enumerate(np.split(members, np.cumsum(column)[:-1])):
            parts[device].append(piece)
    return [np.concatenate(pieces) for pieces in parts]


def _shares(mixes: NDArray[np.float64], totals: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.int64]:
    """Turn mixes ``(devices, labels)`` into whole numbers of samples whose columns sum to the totals."""
    columns = mixes.sum(axis=0)
    for label in np.flatnonzero(columns <= 0).tolist():  # a tiny alpha: no device drew any of it
        mixes[rng.integers(len(mixes)), label] = 1.0
    exact = mixes / mixes.sum(axis=0) * totals
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    for label, lacking in enumerate((totals - counts.sum(axis=0)).tolist()):
        counts[np.argsort(counts[:, label] - exact[:, label], kind="stable")[:lacking], label] += 1
    return counts


def _top_up(counts: NDArray[np.int64], least: int) -> None:
    """Move samples, in place, from the fullest devices to those with fewer than ``least``."""
    sizes = counts.sum(axis=1)
    while sizes.min() < least:
        poor, rich = int(sizes.argmin()), int(sizes.argmax())
        label = int(counts[rich].argmax())
        counts[rich, label] -= 1
        counts[poor, label] += 1
        sizes[rich] -= 1
        sizes[poor] += 1
