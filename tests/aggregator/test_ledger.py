"""What a round cost."""

from __future__ import annotations

import pytest

from aggregator.ledger import RoundLedger, covered, mean_score
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest


def manifest(started: float, ended: float, *, samples: int = 10, accuracy: float = 0.5) -> UpdateManifest:
    score = Score(loss=1.0, accuracy=accuracy, samples=samples)
    return UpdateManifest(
        run="r",
        round=1,
        samples=samples,
        base="0" * 64,
        blob=BlobRef.of(b"x", chunk_bytes=256),
        metrics=LocalMetrics(train=score, holdout_before=score, train_started_unix_s=started, train_ended_unix_s=ended),
    )


def test_overlapping_intervals_count_once() -> None:
    """The union of 0–2, 1–3 and 5–6 is 4 long; an interval that ends before it begins is empty."""
    assert covered([(5, 6), (0, 2), (1, 3), (9, 7)]) == 4


def test_time_outside_training_is_what_no_device_trained_in() -> None:
    """Intervals are clipped to the round: a clock that is wrong makes no time negative."""
    ledger = RoundLedger(started=100.0, started_unix_s=1000.0, received_bytes=90, delivered_bytes=500)
    ledger.manifest_bytes_down = 30
    line = ledger.close(
        now=110.0,
        received_bytes=97,
        delivered_bytes=800,
        manifests=[manifest(990, 1004), manifest(1003, 1006, samples=30, accuracy=0.9), manifest(1009, 1e12)],
        weights_sha256="f" * 64,
    )
    assert (line["wall_s"], line["train_s"], line["outside_training_s"]) == (10.0, 7.0, 3.0)
    assert (line["bytes_up"], line["bytes_down"], line["participants"], line["samples"]) == (7, 330, 3, 50)
    assert line["holdout_before"]["accuracy"] == pytest.approx((0.5 * 10 + 0.9 * 30 + 0.5 * 10) / 50)
    assert line["holdout_after"] is None


def test_scores_of_no_samples_are_left_out() -> None:
    """A device without a hold-out has no say in its accuracy."""
    assert mean_score([None, Score(loss=1, accuracy=1, samples=0)]) is None
