"""Where a run begins: anew, or where it stood."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from aggregator.checkpoints import Checkpoints
from aggregator.engine import ResumePoint
from aggregator.recovery import RunCard
from aggregator.settings import AggregatorSettings
from aggregator.store import RunRecord, Store
from shared.errors import RunError
from shared.tensors import Tensors, decode_tensors, encode_tensors, sha256_of
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import Weights, initial_weights, load_weights
from tflite_models.shipped_weights import first_weights_path

BEFORE_IT_WAS_SET: dict[str, Any] = {"augment": 0.0, "sample_cap": 0.0}
"""What was done before there was a setting for it, where that is not its default. A run that was begun by an earlier
version is resumed with that; settings that are not named here had their default before they could be chosen."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run, and where it stands.

    Attributes:
        run: its name.
        resume: what was done before.
        weights: of the last committed round, or the first ones.
        data: the same as a safetensors file.
        sha256: of ``data``.
    """

    run: str
    resume: ResumePoint
    weights: Tensors
    data: bytes
    sha256: str


def shapes_of(model: ModelBundle) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a model's parameters, in their order."""
    return {parameter.name: tuple(parameter.shape) for parameter in model.manifest.parameters}


def new_run_name(now_unix_s: float) -> str:
    """Name a run by the time it begins; a few random digits keep two of one second apart."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime(now_unix_s)) + "-" + secrets.token_hex(3)


def begin(
    settings: AggregatorSettings, *, model: ModelBundle, store: Store, checkpoints: Checkpoints, now_unix_s: float
) -> Run:
    """Begin a new run, with its first weights.

    Raises:
        RunError: the folder has a run that is not finished, and has an update or more.
        ModelError: the weights to start from are of another model.
        StorageError: the run cannot be recorded.
    """
    last = store.last_run()
    if last is not None and not last.finished:
        point = store.resume_point(last.run)
        if point.committed or (point.open is not None and point.open.contributions):
            raise RunError(
                f"folder {settings.folder} has run {last.run}, which ended after {point.committed} of "
                f"{last.settings.get('rounds')} rounds; add --resume to go on with it, or take another --folder"
            )
    weights = _first_weights(settings, model)
    data = encode_tensors(weights)
    checkpoints.put(0, data)
    record = RunRecord(new_run_name(now_unix_s), False, model.sha256, sha256_of(data), settings.run_defining())
    store.begin_run(record, now_unix_s=now_unix_s)
    # One run's checkpoints at a time: those of a finished one make room, its last weights stay in weights.safetensors.
    # Not before the new run is on record: what fails until then leaves the old one whole.
    checkpoints.keep_only({0})
    RunCard(record).write(settings.folder)
    return Run(record.run, ResumePoint(), weights, data, record.first_weights_sha256)


def _first_weights(settings: AggregatorSettings, model: ModelBundle) -> Weights:
    path = first_weights_path(settings.weights, label_set=settings.labels, built_in=settings.model is None)
    if path is None:
        return initial_weights(model.manifest, seed=settings.seed)
    return load_weights(path, model.manifest)


def resume(settings: AggregatorSettings, *, model: ModelBundle, store: Store, checkpoints: Checkpoints) -> Run:
    """Go on with the last run of the folder.

    Raises:
        RunError: there is none, or it was started with another model or other settings; the message names them.
        StorageError: its weights cannot be read.
    """
    last = store.last_run()
    if last is None:
        raise RunError(f"folder {settings.folder} has no run to resume; leave out --resume to start one")
    if last.model_sha256 != model.sha256:
        raise RunError(
            f"run {last.run} trains another model ({last.model_sha256[:12]}, now {model.sha256[:12]}); "
            "resume with its --labels or --model"
        )
    now = settings.run_defining()
    then = {name: type(settings).model_fields[name].default for name in now} | BEFORE_IT_WAS_SET | last.settings
    differ = [
        f"--{name.replace('_', '-')} {then[name]} (now {value})" for name, value in now.items() if then[name] != value
    ]
    if differ:
        raise RunError(f"run {last.run} was started with {', '.join(differ)}; resume with the same settings")
    card = RunCard.read(settings.folder)
    if card is None or card.record.run != last.run:
        # Begun by an earlier version, or ended just before it was written.
        RunCard(last).write(settings.folder)
    point = store.resume_point(last.run)
    sha256 = last.first_weights_sha256
    if point.committed:
        committed = store.committed(last.run, point.committed)
        assert committed is not None
        sha256 = committed.weights_sha256
    data = checkpoints.read(point.committed, sha256=sha256)
    return Run(last.run, point, decode_tensors(data, shapes=shapes_of(model)), data, sha256)
