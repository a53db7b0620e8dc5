"""Datasets of generated handwriting, with the writer of every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shared.dataset import Dataset
from shared.errors import DataError, SettingsError
from shared.handwriting.allographs import ALLOGRAPHS
from shared.handwriting.drawing import draw_image
from shared.handwriting.writer import draw_writer
from shared.labels import LabelSet, canonical_label
from shared.sample import SIDE

_STREAM_SAMPLES = 3
_SKEW = 0.5  # the concentration of the Dirichlet distribution of an unbalanced writer's labels

Balance = Literal["uniform", "skewed"]


def generate(
    labels: LabelSet | Sequence[str],
    *,
    writers: int,
    samples_per_writer: int,
    seed: int,
    balance: Balance = "uniform",
    spread: float = 1.0,
    first_writer: int = 0,
) -> Dataset:
    """Generate handwriting: every sample is written anew by one of the writers.

    The same arguments give the same bytes. A writer, and what the writer writes, does not depend on how many others
    there are, so ``first_writer=8`` continues where ``writers=8`` ended, with people never seen before.

    Args:
        labels: what is written.
        writers: how many people write.
        samples_per_writer: how many samples each of them writes.
        seed: what everything is drawn from, at least 0.
        balance: ``uniform``: everyone writes each label equally often (to within one); ``skewed``: each writer has a
            mix of labels of their own, drawn from a Dirichlet distribution with concentration 0.5.
        spread: how far writers stand apart: 1 to train readers that meet anyone, 0.4 for a fleet of a few devices whose
            readers must read other writers of the same population (see `draw_writer`).
        first_writer: the number of the first writer.

    Returns:
        ``writers × samples_per_writer`` samples, writer by writer; writers are called ``writer-0001`` and so on.

    Raises:
        DataError: the generator has no form of a label; the message names it.
        SettingsError: a number is out of its range.
    """
    names = _known(labels)
    if writers < 1 or samples_per_writer < 1:
        raise SettingsError(f"expected at least one writer and one sample each, got {writers} and {samples_per_writer}")
    if balance not in ("uniform", "skewed"):
        raise SettingsError(f"no balance of labels is called {balance!r}; choose uniform or skewed")
    count = writers * samples_per_writer
    images = np.empty((count, SIDE, SIDE), np.uint8)
    written: list[str] = []
    authors: list[str] = []
    for index in range(first_writer, first_writer + writers):
        writer = draw_writer(seed, index, spread=spread)
        rng = np.random.default_rng([seed, index, _STREAM_SAMPLES])
        chosen = _mix(len(names), samples_per_writer, balance=balance, rng=rng)
        for label in (names[i] for i in chosen):
            images[len(written)] = draw_image(writer, label, rng)
            written.append(label)
        authors += [writer.name] * samples_per_writer
    return Dataset(images, np.array(written, np.str_), np.array(authors, np.str_))


def _known(labels: LabelSet | Sequence[str]) -> tuple[str, ...]:
    named = labels.labels if isinstance(labels, LabelSet) else tuple(labels)
    names = tuple(canonical_label(label) for label in named)
    if not names:
        raise DataError("no label to write; name at least one")
    unknown = [name for name in names if name not in ALLOGRAPHS]
    if unknown:
        raise DataError(
            f"no handwriting is known for the labels {', '.join(unknown)}; choose from {', '.join(ALLOGRAPHS)}"
        )
    return names


def _mix(labels: int, samples: int, *, balance: Balance, rng: np.random.Generator) -> NDArray[np.intp]:
    if balance == "skewed":
        shares = rng.dirichlet(np.full(labels, _SKEW))
        return rng.choice(labels, size=samples, p=shares).astype(np.intp)
    # whole rounds of every label, and a last part of one, in an order of the writer's own
    rounds = [rng.permutation(labels) for _ in range(-(-samples // labels))]
    return np.concatenate(rounds)[:samples].astype(np.intp)
