"""Measures a reader or a training program on labelled samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.training import padded_batches

_CHUNK = 1024


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well samples were read.

    Attributes:
        loss: the mean cross-entropy, in nats.
        accuracy: the share answered correctly.
        samples: how many there were.
        confusion: ``(classes, classes) int64``, ``[true, predicted]``.
    """

    loss: float
    accuracy: float
    samples: int
    confusion: NDArray[np.int64]


def evaluate(
    reader_or_program: FrozenReader | TrainingProgram, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> Evaluation:
    """Measure on samples, without a change to the weights.

    Args:
        reader_or_program: with weights; the frozen reader is several times as fast.
        images: ``(n, 45, 45) uint8``.
        labels: ``(n,) int32``, class indices.

    Raises:
        DataError: there are no samples, or labels do not fit the images or the model.
        ModelError: no weights were set.
    """
    count, classes = len(images), len(reader_or_program.manifest.labels)
    if count == 0:
        raise DataError("evaluation needs at least one sample, got none")
    if labels.shape != (count,):
        raise DataError(f"expected {count} labels, one per image, got shape {labels.shape}")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise DataError(f"expected class indices below {classes}, got {labels.min()} to {labels.max()}")
    if isinstance(reader_or_program, FrozenReader):
        loss, predicted = _with_reader(reader_or_program, images, labels)
    else:
        loss, predicted = _with_program(reader_or_program, images, labels)
    confusion = np.bincount(labels.astype(np.int64) * classes + predicted, minlength=classes * classes)
    return Evaluation(
        loss=loss / count,
        accuracy=float((predicted == labels).mean()),
        samples=count,
        confusion=confusion.reshape(classes, classes).astype(np.int64),
    )


def _with_reader(
    reader: FrozenReader, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> tuple[float, NDArray[np.int64]]:
    loss = 0.0
    predicted = []
    for start in range(0, len(images), _CHUNK):
        logits = reader.logits(images[start : start + _CHUNK]).astype(np.float64)
        truth = labels[start : start + _CHUNK]
        shifted = logits - logits.max(axis=1, keepdims=True)
        loss += float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(truth)), truth]).sum())
        predicted.append(logits.argmax(axis=1))
    return loss, np.concatenate(predicted)


def _with_program(
    program: TrainingProgram, images: NDArray[np.uint8], labels: NDArray[np.int32]
) -> tuple[float, NDArray[np.int64]]:
    loss = 0.0
    predicted = []
    for x, y, weight in padded_batches(images, labels, batch=program.manifest.batch):
        result = program.evaluate_batch(x, y, weight)
        assert result.predicted is not None
        real = int(weight.sum())
        loss += result.loss * real
        predicted.append(result.predicted[:real].astype(np.int64))
    return loss, np.concatenate(predicted)
