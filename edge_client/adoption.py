"""The newest global weights that are good enough for this device, on its disk with their model, to be read with.

They are checked on the device's own hold-out against those it has. Worse ones are kept out, and that is said.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge_client.model_shelf import builtin_hashes
from edge_client.trainer import Trainer
from edge_client.training_job import Checked, CheckJob, Held
from shared.errors import InkfleetError, ModelError, StorageError
from shared.files import write_bytes
from shared.messages import RoundManifest, Score
from shared.tensors import sha256_of
from tflite_models.bundle import MANIFEST_FILE, ModelBundle, builtin_bundle

FEWEST_HELD = 10
"""Fewer samples held out than this tell nothing about weights: then new ones are taken unchecked."""


@dataclass(frozen=True)
class AdoptedWeights:
    """What lies beside the adopted weights: what they are, and after how many rounds of which run they were made."""

    weights_sha256: str
    model_sha256: str
    run: str
    rounds: int


@dataclass(frozen=True)
class Judgement:
    """Whether weights are adopted, and the two scores that decided it (None where nothing was compared)."""

    adopt: bool
    new: Score | None
    current: Score | None


def judge(new: Score | None, current: Score | None, *, classes: int, tolerance: float) -> Judgement:
    """Decide whether new weights are good enough.

    They may read the hold-out worse than the current ones by ``tolerance`` of accuracy and one standard error of the
    current ones' (that of a binomial share), no more: of 50 samples, one or two read otherwise prove nothing. Where
    there are no current ones they must do better than twice what guessing gives: the weights a run begins with are
    random.
    """
    if new is None or new.samples < FEWEST_HELD:
        return Judgement(True, new, current)
    if current is None:
        return Judgement(new.accuracy >= 2 / classes, new, current)
    chance = math.sqrt(current.accuracy * (1 - current.accuracy) / new.samples)
    return Judgement(new.accuracy >= current.accuracy - tolerance - chance, new, current)


class WeightsShelf:
    """The folder with the adopted weights: ``current.safetensors``, and ``current.json`` that says what they are.

    The JSON file names the hash of the other: where they do not belong together, a crash came between, and there are
    no adopted weights until the next are. A model that does not ship with Inkfleet lies beside them under its hash, in
    ``models``: the device's cache forgets, and what was adopted must be read with after any restart.
    """

    def __init__(self, folder: Path) -> None:
        self.weights_path = folder / "current.safetensors"
        self._label_path = folder / "current.json"
        self._models = folder / "models"

    def current(self) -> AdoptedWeights | None:
        """Return what is adopted; None if nothing is, or its files do not belong together.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        found = self._load()
        return found[0] if found else None

    def read(self) -> bytes | None:
        """Return the adopted weights' safetensors file; None if nothing is adopted.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        found = self._load()
        return found[1] if found else None

    def adopt(self, label: AdoptedWeights, blob: bytes, *, model: Callable[[], ModelBundle] | None = None) -> None:
        """Put weights in place of the current ones.

        Args:
            label: what they are.
            blob: a safetensors file.
            model: loads their model, if it is one that does not ship and is not here already; None to keep none.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
            ModelError: the model cannot be loaded.
        """
        folder = self._models / label.model_sha256
        if model is not None and label.model_sha256 not in builtin_hashes() and not (folder / MANIFEST_FILE).is_file():
            model().save(folder)
        write_bytes(self.weights_path, blob)
        write_bytes(self._label_path, json.dumps(asdict(label), indent=1).encode() + b"\n")
        for old in self._models.glob("*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)

    def model(self) -> ModelBundle | None:
        """Load the model of the adopted weights; None if nothing is adopted, or it is not at hand.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        label = self.current()
        if label is None:
            return None
        name = builtin_hashes().get(label.model_sha256)
        if name is not None:
            return builtin_bundle(name)
        try:
            bundle = ModelBundle.load(self._models / label.model_sha256)
        except ModelError:
            return None
        return bundle if bundle.sha256 == label.model_sha256 else None

    def _load(self) -> tuple[AdoptedWeights, bytes] | None:
        try:
            label = AdoptedWeights(**json.loads(self._label_path.read_bytes()))
            blob = self.weights_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {error.filename}: {error.strerror or error}") from None
        except (ValueError, TypeError):
            return None
        return (label, blob) if sha256_of(blob) == label.weights_sha256 else None


class Adopter:
    """Considers global weights, one check at a time, on the trainer's thread, after the device's own training.

    Args:
        shelf: where adopted weights lie.
        trainer: where the check is queued.
        tolerance: see `judge`.
        later: runs a function on the device's thread.
        emit: told whether weights were adopted or kept out, and why.
    """

    def __init__(
        self,
        shelf: WeightsShelf,
        *,
        trainer: Trainer,
        tolerance: float,
        later: Callable[[Callable[[], None]], None],
        emit: Callable[[dict[str, Any]], None],
    ) -> None:
        self._shelf = shelf
        self._trainer = trainer
        self._tolerance = tolerance
        self._later = later
        self._emit = emit
        self._job: CheckJob | None = None

    def has(self, manifest: RoundManifest) -> bool:
        """Return whether these weights are the adopted ones."""
        current = self._current()
        return current is not None and current.weights_sha256 == manifest.weights.sha256

    def consider(
        self,
        manifest: RoundManifest,
        *,
        model: Callable[[], ModelBundle],
        weights: Callable[[], bytes],
        held: Held,
    ) -> None:
        """Check a round's global weights, and adopt them if they are good enough; weights of another model always are.

        A check that has not begun yet is given up: only the newest weights matter.
        """
        if self.has(manifest):
            return
        self.stop()
        current = self._current()
        same_model = current is not None and current.model_sha256 == manifest.model.manifest.sha256
        job = self._job = CheckJob(
            model_ref=manifest.model,
            model=model,
            weights=weights,
            others=self._shelf.read if same_model else lambda: None,
            held=held,
        )
        future = self._trainer.submit(job)
        future.add_done_callback(lambda done: self._later(partial(self._checked, manifest, job, done)))

    def stop(self) -> None:
        """Give up the check that waits, if one does."""
        if self._job is not None:
            self._job.stop.set()
            self._job = None

    def _checked(self, manifest: RoundManifest, job: CheckJob, future: Future[Checked]) -> None:
        if job is not self._job or future.cancelled():
            return
        self._job = None
        try:
            found = future.result()
            judgement = judge(found.new, found.others, classes=found.classes, tolerance=self._tolerance)
            if judgement.adopt:
                label = AdoptedWeights(
                    manifest.weights.sha256, manifest.model.manifest.sha256, manifest.run, _rounds(manifest)
                )
                self._shelf.adopt(label, job.weights(), model=job.model)
        except InkfleetError as error:
            self._emit({"event": "trouble", "reason": f"global weights were not adopted: {error}"})
            return
        self._emit(
            {
                "event": "adopted" if judgement.adopt else "kept_out",
                "run": manifest.run,
                "rounds": _rounds(manifest),
                "weights_sha256": manifest.weights.sha256,
                "accuracy": judgement.new.accuracy if judgement.new else None,
                "accuracy_before": judgement.current.accuracy if judgement.current else None,
                "held": judgement.new.samples if judgement.new else 0,
            }
        )

    def _current(self) -> AdoptedWeights | None:
        try:
            return self._shelf.current()
        except StorageError as error:
            self._emit({"event": "trouble", "reason": str(error)})
            return None


def _rounds(manifest: RoundManifest) -> int:
    """Return after how many rounds the manifest's weights were made."""
    return manifest.round if manifest.phase == "finished" else max(0, manifest.round - 1)
