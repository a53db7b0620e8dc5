"""Trains a program on a device's samples: epochs, batches, dropout masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.augmentation import varied
from shared.errors import DataError, InkfleetError, ModelError, SettingsError
from shared.sample import ink_points
from shared.standard_pen import InkPoints
from tflite_models.manifest import Manifest
from tflite_models.runtime.hyper import TrainHyper
from tflite_models.runtime.program import TrainingProgram

__all__ = ["TrainHyper", "TrainResult", "TrainingStopped", "draw_masks", "padded_batches", "train"]


class TrainingStopped(InkfleetError):  # noqa: N818 - asked for, so no error
    """Training was asked to stop before its end; the program's weights are those of an unfinished epoch."""


@dataclass(frozen=True)
class TrainResult:
    """What training gave.

    Attributes:
        loss: the mean cross-entropy of the last epoch, in nats, while training and with dropout.
        accuracy: the share answered correctly in the last epoch, likewise.
        samples: in one epoch.
        batches: in all epochs.
    """

    loss: float
    accuracy: float
    samples: int
    batches: int


def train(
    program: TrainingProgram,
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    *,
    hyper: TrainHyper,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    augment: float = 0.0,
    balance: float = 0.0,
    on_batch: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> TrainResult:
    """Train a program from the weights it holds; they stay inside it.

    Args:
        program: with weights set.
        images: ``(n, 45, 45) uint8``, ink 255 on paper 0.
        labels: ``(n,) int32``, class indices.
        hyper: the optimizer and its numbers.
        epochs: how often every sample is seen.
        batch_size: samples a step, at most the program's batch; a short batch is padded with weight 0.
        rng: draws the order of the samples, their changes and the dropout masks.
        augment: how much each sample is changed every time (`shared.augmentation.varied`); 0: not at all.
        balance: how far an epoch evens out the labels, from 0 to 1 (`drawn_order`).
        on_batch: told after every step how many of how many are done.
        should_stop: asked before every step.

    Raises:
        DataError: there are no samples, or the images are no samples.
        SettingsError: ``epochs`` or ``batch_size`` is out of range.
        TrainingStopped: ``should_stop`` said so.
        ModelError: the loss is no longer finite.
    """
    manifest = program.manifest
    count = len(images)
    if count == 0:
        raise DataError("training needs at least one sample, got none")
    if labels.shape != (count,):
        raise DataError(f"expected {count} labels, one per image, got shape {labels.shape}")
    if int(labels.min()) < 0 or int(labels.max()) >= len(manifest.labels):
        raise DataError(f"expected class indices below {len(manifest.labels)}, got {labels.min()} to {labels.max()}")
    if epochs < 1:
        raise SettingsError(f"expected at least 1 epoch, got {epochs}")
    if not 1 <= batch_size <= manifest.batch:
        raise SettingsError(f"expected a batch size from 1 to {manifest.batch}, got {batch_size}")
    points = ink_points(images)
    del images  # points are a third of their size; where the caller keeps none, theirs is free for the training
    total = epochs * math.ceil(count / batch_size)
    done = 0
    loss = correct = 0.0
    for _ in range(epochs):
        loss = correct = 0.0
        order = drawn_order(labels, balance=balance, rng=rng)
        for chosen in np.array_split(order, range(batch_size, count, batch_size)):
            if should_stop is not None and should_stop():
                raise TrainingStopped(f"training was stopped after {done} of {total} batches")
            drawn = varied(points.take(chosen), strength=augment, rng=rng)
            x, y, weight = _padded(drawn, labels[chosen], manifest.batch)
            result = program.train_batch(x, y, weight, hyper=hyper, masks=draw_masks(manifest, rng=rng))
            if not math.isfinite(result.loss):
                raise ModelError(
                    f"the loss is {result.loss} after {done + 1} batches; lower the learning rate (now {hyper.lr}) "
                    "or set clip_norm"
                )
            loss += result.loss * len(chosen)
            correct += result.correct
            done += 1
            if on_batch is not None:
                on_batch(done, total)
    return TrainResult(loss / count, correct / count, count, done)


def drawn_order(labels: NDArray[np.int32], *, balance: float, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw the samples of an epoch, in order: as many as there are.

    At balance 0 each sample comes once. At 1 every label comes equally often, and between them a sample comes in
    proportion to its label's count to the power of ``-balance``; how often is rounded at random, so that no sample
    comes more than once too often or too seldom (systematic sampling).

    Args:
        labels: ``(n,) int32``, class indices.
        balance: from 0 to 1.
        rng: draws.
    """
    count = len(labels)
    if balance == 0:
        return rng.permutation(count)
    weight = np.bincount(labels)[labels] ** -float(balance)
    upto = np.concatenate([np.zeros(1), (weight / weight.sum() * count).cumsum()])
    upto[-1] = count
    copies = np.diff(np.floor(upto + rng.random())).astype(np.intp)
    return rng.permutation(np.repeat(np.arange(count), copies))


def draw_masks(manifest: Manifest, *, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Draw the dropout masks of one step: 0 with the layer's rate, ``1 / (1 - rate)`` otherwise (inverted dropout,
    Srivastava et al. 2014, section 10).
    """
    masks = {}
    for mask in manifest.masks:
        kept = rng.random(mask.shape, np.float32) >= np.float32(mask.rate)
        masks[mask.name] = kept.astype(np.float32) * np.float32(1 / (1 - mask.rate))
    return masks


def padded_batches(
    images: NDArray[np.uint8], labels: NDArray[np.int32], *, batch: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]]:
    """Cut samples into batches of one size, in order; the last is padded with blank paper of weight 0.

    Yields:
        ``x (batch, 45, 45, 1) float32``, ``y (batch,) int32``, ``weight (batch,) float32``.
    """
    for start in range(0, len(images), batch):
        yield _padded(ink_points(images[start : start + batch]), labels[start : start + batch], batch)


def _padded(
    points: InkPoints, labels: NDArray[np.int32], batch: int
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    count = len(points)
    x = points.drawn()
    y = labels.astype(np.int32, copy=False)
    if count < batch:
        x = np.concatenate([x, np.zeros((batch - count, *x.shape[1:]), np.float32)])
        y = np.concatenate([y, np.zeros(batch - count, np.int32)])
    weight = np.zeros(batch, np.float32)
    weight[:count] = 1
    return x, y, weight
