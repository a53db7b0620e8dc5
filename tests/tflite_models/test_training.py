"""Training loops: epochs, masks, stopping, bad input, and that something is learnt."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.errors import DataError, ModelError, SettingsError
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.evaluation import evaluate
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.training import (
    TrainHyper,
    TrainingStopped,
    TrainResult,
    draw_masks,
    drawn_order,
    padded_batches,
    train,
)

Strokes = tuple[NDArray[np.uint8], NDArray[np.int32]]


def run(program: TrainingProgram, strokes: Strokes, *, epochs: int = 1, **changes: float) -> TrainResult:
    hyper = TrainHyper(**{"lr": 0.02, **changes})  # type: ignore[arg-type]
    rng = np.random.default_rng(6)
    return train(program, *strokes, hyper=hyper, epochs=epochs, batch_size=20, rng=rng)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_simple_strokes_are_learnt(program: TrainingProgram, strokes: Strokes, optimizer: str) -> None:
    """A few epochs tell bars, dashes and crosses apart, with either optimizer."""
    hyper = TrainHyper(optimizer="sgd", lr=0.02) if optimizer == "sgd" else TrainHyper(optimizer="adam", lr=0.001)
    result = train(program, *strokes, hyper=hyper, epochs=16, batch_size=32, rng=np.random.default_rng(6))
    assert (result.samples, result.batches) == (96, 48)
    assert result.loss < 0.5
    found = evaluate(program, *strokes)
    assert found.accuracy > 0.97
    assert found.confusion.sum() == found.samples == 96
    assert np.trace(found.confusion) == round(found.accuracy * 96)


def test_same_seed_same_weights(program: TrainingProgram, strokes: Strokes) -> None:
    """The generator decides order and masks, so the same seed gives the same bits, and progress is told."""
    start = program.get_weights()
    ends = []
    for _ in range(2):
        program.set_weights(start)
        program.reset_optimizer()
        run(program, strokes)
        ends.append(program.get_weights())
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in start)
    assert not np.array_equal(ends[0]["conv1.kernel"], start["conv1.kernel"])


def test_changed_samples_are_drawn_from_the_generator(program: TrainingProgram, strokes: Strokes) -> None:
    """Augmentation and balance give the same bits with the same seed, and other ones than training without them."""
    start = program.get_weights()
    ends = []
    for augment, balance in ((0.5, 0.5), (0.5, 0.5), (0.5, 0.0), (0.0, 0.0)):
        program.set_weights(start)
        program.reset_optimizer()
        rng = np.random.default_rng(6)
        hyper = TrainHyper(lr=0.02)
        train(program, *strokes, hyper=hyper, epochs=2, batch_size=32, rng=rng, augment=augment, balance=balance)
        ends.append(program.get_weights()["conv1.kernel"])
    assert np.array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])
    assert not np.array_equal(ends[2], ends[3])


def test_an_epoch_can_even_out_labels() -> None:
    """At 0 every sample comes once; at 1 every label as often; between them in between; always as many in all."""
    labels = np.repeat(np.arange(4, dtype=np.int32), [600, 60, 30, 10])
    rng = np.random.default_rng(2)
    assert sorted(drawn_order(labels, balance=0, rng=rng).tolist()) == list(range(700))
    shares = {}
    for balance in (0.5, 1.0):
        order = drawn_order(labels, balance=balance, rng=rng)
        assert len(order) == 700
        shares[balance] = np.bincount(labels[order]) / 700
        times = np.bincount(order, minlength=700)
        for label in range(4):
            assert np.ptp(times[labels == label]) <= 1
    assert shares[1.0] == pytest.approx([0.25] * 4, abs=0.01)
    roots = np.sqrt([600, 60, 30, 10])
    assert shares[0.5] == pytest.approx(roots / roots.sum(), abs=0.01)


def test_progress_and_stop(program: TrainingProgram, strokes: Strokes) -> None:
    """Every batch is told, and a stop is honoured before the next one."""
    told: list[tuple[int, int]] = []
    with pytest.raises(TrainingStopped, match="stopped after 3 of 10 batches"):
        train(
            program,
            *strokes,
            hyper=TrainHyper(),
            epochs=2,
            batch_size=20,
            rng=np.random.default_rng(0),
            on_batch=lambda done, total: told.append((done, total)),
            should_stop=lambda: len(told) == 3,
        )
    assert told == [(1, 10), (2, 10), (3, 10)]


def test_loss_that_explodes_is_an_error(program: TrainingProgram, strokes: Strokes) -> None:
    """A learning rate far too high ends in one line, not in weights of NaN."""
    with pytest.raises(ModelError, match=r"the loss is (nan|inf) after \d+ batches; lower the learning rate"):
        run(program, strokes, lr=1e30, epochs=3)


def test_bad_arguments_are_refused(program: TrainingProgram, strokes: Strokes) -> None:
    """No samples, labels that do not fit, and batch sizes out of range are named."""
    images, labels = strokes
    with pytest.raises(DataError, match="at least one sample"):
        run(program, (images[:0], labels[:0]))
    with pytest.raises(DataError, match="expected 96 labels"):
        run(program, (images, labels[:5]))
    with pytest.raises(DataError, match="class indices below 17, got 15 to 17"):
        run(program, (images, labels + 15))
    with pytest.raises(SettingsError, match="batch size from 1 to 32, got 33"):
        train(program, *strokes, hyper=TrainHyper(), epochs=1, batch_size=33, rng=np.random.default_rng(0))
    with pytest.raises(SettingsError, match="at least 1 epoch"):
        run(program, strokes, epochs=0)


def test_masks_keep_their_share_and_their_mean(bundle: ModelBundle) -> None:
    """A mask drops its rate and scales the rest, so that the mean stays 1; the generator decides it."""
    masks = [draw_masks(bundle.manifest, rng=np.random.default_rng(seed)) for seed in (1, 1, 2)]
    mask = masks[0]["dropout1"]
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (mask == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert mask.mean() == pytest.approx(1, abs=0.04)
    assert np.array_equal(mask, masks[1]["dropout1"])
    assert not np.array_equal(mask, masks[2]["dropout1"])


def test_last_batch_is_padded_with_weight_zero(strokes: Strokes) -> None:
    """96 samples in batches of 40 end in one of 16 and 24 of padding."""
    weights = [weight for _, _, weight in padded_batches(*strokes, batch=40)]
    assert [int(weight.sum()) for weight in weights] == [40, 40, 16]
    assert not weights[-1][16:].any()
