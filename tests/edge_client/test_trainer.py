"""The trainer, with the real model in a real LiteRT."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_client.trainer import Trainer, Workbench
from edge_client.training_job import CheckJob, TrainingJob, device_generator
from shared.dataset import Dataset
from shared.errors import ModelError, ProtocolError, RunError
from shared.labels import LabelSet
from shared.messages import BlobRef, ModelRef, RoundManifest, TrainingPlan
from shared.tensors import decode_tensors, encode_tensors
from tests.edge_client.made_samples import bars
from tests.edge_client.rounds import manifest
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.training import TrainingStopped
from tflite_models.runtime.weights import initial_weights

TIMEOUT_S = 60


@pytest.fixture(scope="module")
def weights(bundle: ModelBundle) -> bytes:
    """Its weights to begin with."""
    return encode_tensors(initial_weights(bundle.manifest, seed=1))


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    """A trainer that ends with the test."""
    one = Trainer()
    yield one
    one.close()


def shapes(bundle: ModelBundle) -> dict[str, tuple[int, ...]]:
    """The model's parameters."""
    return {spec.name: spec.shape for spec in bundle.manifest.parameters}


def open_round(bundle: ModelBundle, **plan: Any) -> RoundManifest:
    """A round of this model."""
    model = ModelRef(
        name=bundle.manifest.name,
        manifest=BlobRef.of(bundle.manifest_bytes, chunk_bytes=4096),
        program=BlobRef.of(bundle.program, chunk_bytes=4096),
        reader=BlobRef.of(bundle.reader, chunk_bytes=4096),
    )
    return manifest(3, model=model, plan=TrainingPlan(**({"local_epochs": 1, "lr": 0.02, "seed": 5} | plan)))


def job(bundle: ModelBundle, weights: bytes, *, device: str = "kitchen", **changes: Any) -> TrainingJob:
    """A training of one epoch on 96 bars, 32 of which are held out."""
    data = bars(96)
    values: dict[str, Any] = {
        "device": device,
        "manifest": open_round(bundle),
        "model": lambda: bundle,
        "weights": lambda: weights,
        "split": lambda labels: (data.take(np.arange(64)), data.take(np.arange(64, 96))),
    }
    return TrainingJob(**(values | changes))


def test_training_makes_better_weights(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """An epoch on easy samples gives other weights that read the hold-out better, and all figures are filled in."""
    seen: list[tuple[int, int]] = []
    trained = trainer.submit(
        job(bundle, weights, manifest=open_round(bundle, local_epochs=4), on_batch=lambda *at: seen.append(at))
    ).result(TIMEOUT_S)
    shapes = {spec.name: spec.shape for spec in bundle.manifest.parameters}
    assert list(decode_tensors(trained.blob, shapes=shapes)) == list(shapes)
    assert trained.blob != weights
    metrics = trained.metrics
    assert trained.samples == metrics.train.samples == 64
    assert metrics.holdout_before is not None
    assert metrics.holdout_after is not None
    assert metrics.holdout_after.accuracy > max(0.9, metrics.holdout_before.accuracy)
    assert metrics.holdout_after.samples == 32
    assert metrics.train_s > 0
    assert metrics.train_started_unix_s < metrics.train_ended_unix_s
    assert seen == [(n, 8) for n in range(1, 9)]


def test_results_do_not_depend_on_what_was_trained_before(bundle: ModelBundle, weights: bytes) -> None:
    """Devices that share a trainer get, bit for bit, what each would get alone: neither optimizer nor weights leak."""
    shared = Trainer()
    alone = Trainer()
    adam = open_round(bundle, optimizer="adam", lr=0.001)
    names = ["a", "b", "a"]
    together = [
        shared.submit(job(bundle, weights, device=name, manifest=adam)).result(TIMEOUT_S).blob for name in names
    ]
    assert together[0] == together[2]
    assert together[0] != together[1]
    assert alone.submit(job(bundle, weights, device="b", manifest=adam)).result(TIMEOUT_S).blob == together[1]
    shared.close()
    alone.close()


def test_the_generator_depends_on_seed_round_and_device_alone() -> None:
    """Each of the three makes other numbers, and the numbers are the same on every machine, for ever."""
    draws = {
        key: device_generator(seed=key[0], round_number=key[1], device=key[2]).integers(0, 1 << 32)
        for key in [(7, 1, "a"), (8, 1, "a"), (7, 2, "a"), (7, 1, "b")]
    }
    assert len(set(draws.values())) == 4
    assert draws[(7, 1, "a")] == 2337357141


def test_batches_larger_than_the_models_are_a_reason(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """The plan's fault is said with what to do, and the next training works."""
    asked = job(bundle, weights, manifest=open_round(bundle, batch_size=64))
    with pytest.raises(RunError, match=r"batches of 64 samples.*takes 32 at most.*--batch-size 32"):
        trainer.submit(asked).result(TIMEOUT_S)
    assert trainer.submit(job(bundle, weights)).result(TIMEOUT_S).samples == 64


def test_no_sample_of_the_models_labels_is_a_reason(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """A device whose samples are all of other classes says so."""
    nothing = bars(0)
    with pytest.raises(RunError, match="no sample here has one of the 17 labels"):
        trainer.submit(job(bundle, weights, split=lambda labels: (nothing, nothing))).result(TIMEOUT_S)


def test_weights_of_another_model_are_refused(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """Tensors of other shapes never reach the interpreter."""
    wrong = encode_tensors({"dense": np.zeros((3, 3), np.float32)})
    with pytest.raises(ProtocolError, match="expected the parameters of the model"):
        trainer.submit(job(bundle, wrong)).result(TIMEOUT_S)


def test_divergence_is_a_reason(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """A learning rate that blows up is an error in words, and the interpreter is good afterwards."""
    wild = open_round(bundle, lr=1e30, local_epochs=5)
    with pytest.raises((ModelError, ProtocolError), match=r"finite|loss"):
        trainer.submit(job(bundle, weights, manifest=wild)).result(TIMEOUT_S)
    clean = trainer.submit(job(bundle, weights)).result(TIMEOUT_S)
    assert clean.blob == job(bundle, weights).run(Workbench()).blob


def test_a_loss_that_is_no_number_is_a_reason(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """Global weights so large that the hold-out overflows are said in words, in training and in a check."""
    huge = {name: tensor * np.float32(1e30) for name, tensor in decode_tensors(weights, shapes=shapes(bundle)).items()}
    asked = job(bundle, encode_tensors(huge))
    with pytest.raises(ModelError, match=r"32 samples held out with a loss of (nan|inf): they have diverged"):
        trainer.submit(asked).result(TIMEOUT_S)
    check = CheckJob(
        asked.manifest.model, asked.model, asked.weights, lambda: None, lambda labels: asked.split(labels)[1]
    )
    with pytest.raises(ModelError, match="have diverged"):
        trainer.submit(check).result(TIMEOUT_S)


def test_stopping_ends_a_training_at_the_next_batch(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """A training that is wanted no more ends soon, and the one behind it begins."""
    seen: list[int] = []
    stop = threading.Event()

    def on_batch(done: int, total: int) -> None:
        seen.append(done)
        stop.set()

    long = job(bundle, weights, manifest=open_round(bundle, local_epochs=1000), on_batch=on_batch, stop=stop)
    first, second = trainer.submit(long), trainer.submit(job(bundle, weights))
    with pytest.raises(TrainingStopped):
        first.result(TIMEOUT_S)
    assert seen == [1]
    assert second.result(TIMEOUT_S).samples == 64


def test_jobs_wait_their_turn_and_a_stopped_one_never_begins(bundle: ModelBundle, weights: bytes) -> None:
    """First come, first served; a job stopped while it waits is cancelled; closing ends the rest."""
    trainer = Trainer()
    began: list[str] = []
    entered, gate = threading.Event(), threading.Event()

    def split(name: str, labels: LabelSet) -> tuple[Dataset, Dataset]:
        began.append(name)
        entered.set()
        assert gate.wait(TIMEOUT_S)
        return bars(32), bars(0)

    jobs = [job(bundle, weights, device=n, split=lambda labels, n=n: split(n, labels)) for n in "abcd"]
    futures = [trainer.submit(one) for one in jobs]
    assert entered.wait(TIMEOUT_S)
    jobs[1].stop.set()
    gate.set()
    assert futures[2].result(TIMEOUT_S).metrics.holdout_before is None
    assert began[:2] == ["a", "c"]
    with pytest.raises(CancelledError):
        futures[1].result(TIMEOUT_S)
    trainer.close()
    assert futures[3].done()
    with pytest.raises(RuntimeError, match="closed"):
        trainer.submit(jobs[0])


def test_a_check_compares_two_sets_of_weights(trainer: Trainer, bundle: ModelBundle, weights: bytes) -> None:
    """Trained weights score better than those they began with; without others there is one score."""
    data = bars(64, seed=3)
    trained = trainer.submit(job(bundle, weights, manifest=open_round(bundle, local_epochs=4))).result(TIMEOUT_S).blob
    check = CheckJob(
        model_ref=open_round(bundle).model,
        model=lambda: bundle,
        weights=lambda: trained,
        others=lambda: weights,
        held=lambda labels: data,
    )
    found = trainer.submit(check).result(TIMEOUT_S)
    assert found.new is not None
    assert found.others is not None
    assert found.new.accuracy > found.others.accuracy
    assert trainer.submit(replace(check, others=lambda: None)).result(TIMEOUT_S).others is None
