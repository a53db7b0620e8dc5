"""What every device of a simulation holds, and what it is tested on. Nothing is started or written here.

Every mistake of the user's that can be found before a process runs is found here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.datasets import open_any
from deploy.simulate.settings import SimulationSettings
from shared.dataset import UNKNOWN_WRITER, Dataset
from shared.datasets import Imported
from shared.errors import DataError, SettingsError
from shared.labels import LabelSet, label_set
from shared.partition import device_names, hold_out_writers, parse_partition, partition
from shared.topics import check_name
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import load_weights
from tflite_models.shipped_weights import RANDOM, first_weights_path

_HOLD_OUT, _DEAL, _ATTACK = 1, 2, 3
"""Streams of the seed: neither how data are dealt out nor who attacks changes what is held out."""

LEAST_GENERATED_TEST_WRITERS = 12
"""Generated people to test on, at least: one or two would make the accuracy a matter of luck."""

GENERATED_TEST_SAMPLES = 136
"""Samples of each of them: eight of every arithmetic label."""


@dataclass(frozen=True)
class DevicePlan:
    """A device and the samples it will hold."""

    name: str
    data: Dataset


@dataclass(frozen=True)
class FleetPlan:
    """One run: a partition, as the user wrote it, the devices it makes, and which of them attack."""

    partition: str
    devices: tuple[DevicePlan, ...]
    attackers: frozenset[str] = frozenset()

    @property
    def folder_name(self) -> str:
        """The partition as part of a file's name."""
        return self.partition.replace(":", "-")


@dataclass(frozen=True)
class SimulationPlan:
    """A whole simulation.

    Attributes:
        bundle: the model to train.
        labels: its classes.
        test: what every round's weights are tested on.
        tested_on: who wrote it, in words.
        notes: what was left out of the data, and the like.
    """

    bundle: ModelBundle
    labels: LabelSet
    test: Dataset
    tested_on: str
    fleets: tuple[FleetPlan, ...]
    notes: tuple[str, ...]

    def data_sha256(self) -> str:
        """Identify the data: another file under the same name is no base to resume on."""
        digest = hashlib.sha256(self.bundle.sha256.encode())
        parts = [(f"{fleet.partition} {device.name}", device.data) for fleet in self.fleets for device in fleet.devices]
        for name, part in (("test", self.test), *parts):
            # Where one part ends and the next begins counts, and whose hand a sample is.
            digest.update(f"\0{name} {len(part)}\0".encode())
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update("\n".join(part.labels.tolist()).encode())
            digest.update(b"\0" + "\n".join(part.writers.tolist()).encode())
        return digest.hexdigest()


def make_plan(settings: SimulationSettings, *, say: Callable[[str], None] = lambda line: None) -> SimulationPlan:
    """Read or generate the data, hold some out, and deal out the rest.

    Args:
        settings: what to simulate.
        say: told, line by line, what a person should know about the data.

    Raises:
        SettingsError: a partition or label set that there is not, or more devices than writers.
        DataError: the data are missing, empty, of other classes, or too few.
        ModelError: the model or the first weights cannot be used.
    """
    ways = [parse_partition(text) for text in settings.partition]
    if len({str(way) for way in ways}) < len(ways):
        raise SettingsError(f"--partition names the same one twice: {', '.join(settings.partition)}")
    bundle = ModelBundle.load(settings.model) if settings.model else builtin_bundle(settings.labels)
    labels = bundle.manifest.label_set_object() if settings.model else label_set(settings.labels)
    first = first_weights_path(settings.weights, label_set=settings.labels, built_in=settings.model is None)
    if first is not None:
        load_weights(first, bundle.manifest)
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        say(line)

    if first is not None and settings.weights is None:
        note(f"Begins with the weights that ship for {labels.name}; --weights {RANDOM} begins with none.")
    train, test, tested_on = _data(settings, labels, note)
    if any(way.kind == "writer" for way in ways) and len(ways) > 1:
        # Runs are compared on the same samples: those of the writers who have a device.
        chosen = train.writers_by_samples()[: settings.devices]
        train = train.take(np.isin(train.writers, np.array(chosen, np.str_)))
    fleets = []
    attackers = choose_attackers(settings) if settings.attack else frozenset()
    for way in ways:
        rng = np.random.default_rng([settings.seed, _DEAL])
        parts = partition(train, way, devices=settings.devices, rng=rng)
        names = [check_name(name, what="device") for name in device_names(settings.devices)]
        devices = tuple(DevicePlan(name, train.take(part)) for name, part in zip(names, parts, strict=True))
        fleets.append(FleetPlan(str(way), devices, attackers))
    return SimulationPlan(bundle, labels, test, tested_on, tuple(fleets), tuple(notes))


def choose_attackers(settings: SimulationSettings) -> frozenset[str]:
    """Draw who attacks: the share of the devices that the settings say, rounded, and at least one."""
    rng = np.random.default_rng([settings.seed, _ATTACK])
    names = device_names(settings.devices)
    count = max(1, round(settings.attackers * len(names)))
    return frozenset(names[i] for i in rng.choice(len(names), size=count, replace=False))


def _data(settings: SimulationSettings, labels: LabelSet, note: Callable[[str], None]) -> tuple[Dataset, Dataset, str]:
    """Return what is trained on, what is tested on, and who wrote the latter, in words."""
    given = _open(settings.test_data, labels, note) if settings.test_data is not None else None
    if settings.data is None:
        train, made = _generated(settings, labels, with_test=given is None)
        note(f"handwriting of {len(train.writers_by_samples())} made-up people: {len(train):,} samples")
        if made is not None:
            return train, made, _writers_never_seen(made)
    else:
        train = _open(settings.data, labels, note)
    unknown = int(np.sum(train.writers == UNKNOWN_WRITER))
    if given is not None:
        both = set(train.writers.tolist()) & set(given.writers.tolist()) - {UNKNOWN_WRITER}
        if both:
            theirs = int(np.isin(given.writers, np.array(sorted(both), np.str_)).sum())
            note(
                f"{len(both)} of the writers that are trained on wrote {theirs:,} of the {len(given):,} test samples: "
                "their hands are not new to the model"
            )
        return train, given, f"the test set {settings.test_data.name if settings.test_data else ''}"
    rng = np.random.default_rng([settings.seed, _HOLD_OUT])
    if not np.any(train.writers != UNKNOWN_WRITER):
        return _hold_out_samples(train, settings.holdout_writers, rng)
    train, test = hold_out_writers(train, fraction=settings.holdout_writers, rng=rng)
    if unknown:
        note(
            f"{unknown:,} of the samples to train on name no writer: "
            f"some of them may be by the {_writers(test)} held out"
        )
        return train, test, f"{_writers(test)} held out ({unknown:,} training samples name no writer)"
    return train, test, _writers_never_seen(test)


def _open(path: object, labels: LabelSet, note: Callable[[str], None]) -> Dataset:
    from pathlib import Path

    imported: Imported = open_any(Path(str(path)), labels=labels)
    for line in imported.report.in_words().splitlines():
        note(line)
    return imported.dataset


def _generated(settings: SimulationSettings, labels: LabelSet, *, with_test: bool) -> tuple[Dataset, Dataset | None]:
    from shared.handwriting import generate

    people = settings.generated_writers or settings.devices
    train = generate(
        labels,
        writers=people,
        samples_per_writer=settings.generated_samples,
        seed=settings.seed,
        spread=settings.generated_spread,
    )
    if not with_test:
        return train, None
    others = max(LEAST_GENERATED_TEST_WRITERS, round(settings.holdout_writers * people))
    test = generate(
        labels,
        writers=others,
        samples_per_writer=GENERATED_TEST_SAMPLES,
        seed=settings.seed,
        spread=settings.generated_spread,
        first_writer=people,
    )
    return train, test


def _hold_out_samples(dataset: Dataset, fraction: float, rng: np.random.Generator) -> tuple[Dataset, Dataset, str]:
    if len(dataset) < 2:
        raise DataError("1 sample is too few to train on and to test with; use more data, or give --test-data")
    held = np.zeros(len(dataset), np.bool_)
    held[rng.permutation(len(dataset))[: min(max(1, round(fraction * len(dataset))), len(dataset) - 1)]] = True
    return dataset.take(~held), dataset.take(held), "samples held out (the data name no writers)"


def _writers_never_seen(test: Dataset) -> str:
    return f"{_writers(test)} never seen"


def _writers(test: Dataset) -> str:
    writers = len(test.writers_by_samples())
    return "1 writer" if writers == 1 else f"{writers} writers"
