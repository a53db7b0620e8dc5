"""How well a round's weights read the test set; on a thread of its own, in the order of the rounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.crash_points import reach
from shared.dataset import Dataset
from shared.errors import DataError, RunError
from shared.messages import Score
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.evaluation import evaluate
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import load_weights


class Evaluator:
    """Tests weights on a set of handwriting, with the frozen reader that a device reads with.

    Args:
        model: of the run.
        test: loads the set; samples of labels that the model does not know are left out.
        on_score: told of each round's score, or of the error that kept it from one; called on the evaluator's thread.
    """

    def __init__(
        self, model: ModelBundle, *, test: Callable[[], Dataset], on_score: Callable[[int, Score | Exception], None]
    ) -> None:
        self._model = model
        self._test = test
        self._on_score = on_score
        self._images: NDArray[np.uint8] = np.empty((0, 0, 0), np.uint8)
        self._labels: NDArray[np.int32] = np.empty(0, np.int32)
        self._reader: FrozenReader | None = None
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="evaluation")

    def load(self) -> None:
        """Load the test set.

        Raises:
            DataError: it cannot be read, or has no sample of the model's labels.
        """
        labels = self._model.manifest.label_set_object()
        test = self._test()
        usable = test.only(labels)
        if len(usable) == 0:
            there = ", ".join(list(test.counts())[:8]) or "nothing"
            raise DataError(
                f"the test data has no sample of the labels {labels.name!r}; it has {there}; "
                "choose other --test-data or other --labels"
            )
        self._images, self._labels = usable.images, labels.encode(usable.labels)

    def load_beside(self) -> None:
        """Load the test set on the evaluator's thread: a run that goes on does not wait for it."""
        self._executor.submit(self._load_beside)

    def _load_beside(self) -> None:
        try:
            self.load()
        except Exception as error:  # whatever it is, the loop decides what becomes of the run
            self._on_score(0, error)

    def submit(self, round_number: int, path: Path) -> None:
        """Test the weights in this file when those before are done.

        Args:
            round_number: told back.
            path: a checkpoint, which has to stay until the score is there.
        """
        self._executor.submit(self._evaluate, round_number, path)

    def stop(self) -> None:
        """Finish the evaluation under way, and drop those that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _evaluate(self, round_number: int, path: Path) -> None:
        try:
            weights = load_weights(path, self._model.manifest)
            if self._reader is None:
                self._reader = FrozenReader(self._model, weights=weights)
            else:
                self._reader.adopt(weights)
            reach("evaluating")
            with np.errstate(over="ignore", invalid="ignore"):
                measured = evaluate(self._reader, self._images, self._labels)
            if not math.isfinite(measured.loss):
                raise RunError(
                    f"the weights of round {round_number} give no finite loss on the test set: the training has "
                    "diverged; begin anew with a lower --lr, or bound updates with --max-update-norm"
                )
            outcome: Score | Exception = Score(loss=measured.loss, accuracy=measured.accuracy, samples=measured.samples)
        except Exception as error:  # whatever it is, the loop decides what becomes of the run
            outcome = error
        self._on_score(round_number, outcome)
