"""A device's training in a round: queued, watched, and its update kept on the disk before anybody hears of it.

The trainer's thread works; what ends there comes back through ``later``, which runs a function on the device's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_client.outbox import Outbox
from edge_client.trainer import Trainer
from edge_client.training_job import Split, Trained, TrainingJob
from shared.crash_points import reach
from shared.errors import InkfleetError, ProtocolError, StorageError
from shared.messages import BlobRef, RoundManifest, Score, UpdateManifest

if TYPE_CHECKING:
    from tflite_models.bundle import ModelBundle

Event = dict[str, Any]

PROGRESS_INTERVAL_S = 0.2
"""The least time between two reports of a training's progress, in seconds."""


class RoundTraining:
    """One training at a time; called on the device's thread.

    Args:
        device: the device's name.
        split: gives the samples with these labels, those to train on and those held out.
        trainer: where trainings are queued.
        outbox: where the update is kept.
        chunk_bytes: the size of chunks that the broker takes now, in bytes.
        trained: told the round, the update that is on the disk, and its bytes.
        failed: told the round and why there will be no update.
        later: runs a function on the device's thread; called on the trainer's.
        emit: told ``training``, ``progress`` and ``trained``.
        clock: monotonic, in seconds.
        unix_clock: Unix time, in seconds.
    """

    def __init__(
        self,
        device: str,
        *,
        split: Split,
        trainer: Trainer,
        outbox: Outbox,
        chunk_bytes: Callable[[], int],
        trained: Callable[[RoundManifest, UpdateManifest, bytes], None],
        failed: Callable[[RoundManifest, str], None],
        later: Callable[[Callable[[], None]], None],
        emit: Callable[[Event], None],
        clock: Callable[[], float],
        unix_clock: Callable[[], float],
    ) -> None:
        self._device = device
        self._split = split
        self._trainer = trainer
        self._outbox = outbox
        self._chunk_bytes = chunk_bytes
        self._trained = trained
        self._failed = failed
        self._later = later
        self._emit = emit
        self._clock = clock
        self._unix_clock = unix_clock
        self._job: TrainingJob | None = None

    def begin(
        self,
        manifest: RoundManifest,
        *,
        model: Callable[[], ModelBundle],
        weights: Callable[[], bytes],
        fetch_s: float,
    ) -> None:
        """Queue the training of a round.

        Args:
            manifest: the round.
            model: loads the model.
            weights: reads the global weights' safetensors file, to start from.
            fetch_s: how long it took to fetch them, for the update's metrics.
        """
        said_at = 0.0

        def on_batch(done: int, total: int) -> None:
            nonlocal said_at
            reach("training")
            if done == total or self._clock() >= said_at + PROGRESS_INTERVAL_S:
                said_at = self._clock()
                event = {"event": "progress", "round": manifest.round, "batch": done, "batches": total}
                self._later(partial(self._emit, event))

        job = self._job = TrainingJob(
            device=self._device,
            manifest=manifest,
            model=model,
            weights=weights,
            split=self._split,
            on_batch=on_batch,
            clock=self._unix_clock,
        )
        self._emit({"event": "training", "round": manifest.round, "epochs": manifest.plan.local_epochs})
        future = self._trainer.submit(job)
        future.add_done_callback(lambda done: self._later(partial(self._ended, job, done, fetch_s)))

    def stop(self) -> None:
        """End the training, if there is one; nobody hears of it any more."""
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    def _ended(self, job: TrainingJob, future: Future[Trained], fetch_s: float) -> None:
        if job is not self._job:
            return
        self._job = None
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            self._failed(job.manifest, in_words(error))
            return
        trained = future.result()
        try:
            update = self._keep(job.manifest, trained, fetch_s=fetch_s)
        except (StorageError, ProtocolError) as problem:
            self._failed(job.manifest, str(problem))
            return
        metrics = update.metrics
        self._emit(
            {
                "event": "trained",
                "run": update.run,
                "round": update.round,
                "samples": update.samples,
                "loss": metrics.train.loss,
                "accuracy": metrics.train.accuracy,
                "holdout_before": _accuracy(metrics.holdout_before),
                "holdout_after": _accuracy(metrics.holdout_after),
                "train_s": round(metrics.train_s, 3),
            }
        )
        self._trained(job.manifest, update, trained.blob)

    def _keep(self, manifest: RoundManifest, trained: Trained, *, fetch_s: float) -> UpdateManifest:
        update = UpdateManifest(
            run=manifest.run,
            round=manifest.round,
            attempt=manifest.attempt,
            samples=trained.samples,
            base=manifest.weights.sha256,
            blob=BlobRef.of(trained.blob, chunk_bytes=self._chunk_bytes()),
            metrics=trained.metrics.model_copy(update={"fetch_s": fetch_s}),
        )
        self._outbox.put(update, trained.blob)
        reach("update kept")
        return update


def in_words(error: BaseException) -> str:
    """Say in one line why a training failed."""
    if isinstance(error, InkfleetError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory to train"
    return f"training failed: {type(error).__name__}: {' '.join(str(error).split())}"


def _accuracy(score: Score | None) -> float | None:
    return None if score is None else score.accuracy
