"""The guards: each refuses what it is there for, in words, and lets a good update through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aggregator.acceptance import Asked, Bounds, Refusal, check_manifest, check_tensors
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest
from shared.tensors import encode_tensors

SHAPES = {"k": (2, 3), "b": (3,)}
BASE = {"k": np.zeros((2, 3), np.float32), "b": np.zeros(3, np.float32)}
GOOD = encode_tensors({"k": np.ones((2, 3), np.float32), "b": np.ones(3, np.float32)})
BOUNDS = Bounds(max_bytes=10_000, max_samples=1000, samples_slack=1.5)
ASKED = Asked(
    run="r", round=3, attempt=2, taking=True, invited=frozenset({"a"}), base_sha256="0" * 64, counted={}, announced=100
)
UPDATE = UpdateManifest(
    run="r",
    round=3,
    attempt=2,
    samples=100,
    base="0" * 64,
    blob=BlobRef.of(GOOD, chunk_bytes=256),
    metrics=LocalMetrics(train=Score(loss=1, accuracy=0.5, samples=100)),
)


def refusal(device: str = "a", *, asked: Asked = ASKED, **changes: object) -> Refusal | None:
    return check_manifest(device, UPDATE.model_copy(update=changes), asked=asked, bounds=BOUNDS)


def test_a_good_update_passes() -> None:
    """Nothing is refused that is as it should be; an earlier attempt is as good."""
    assert refusal() is None
    assert refusal(attempt=1) is None
    assert check_tensors(GOOD, shapes=SHAPES, base=BASE, bounds=BOUNDS) is None


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({"run": "other"}, "stale", "run other is not under way; run r is"),
        ({"round": 2}, "stale", "round 2 is over; round 3 is under way"),
        ({"round": 4}, "rejected", "round 4 attempt 2 was never opened; round 3 attempt 2 is under way"),
        ({"attempt": 3}, "rejected", "round 3 attempt 3 was never opened; round 3 attempt 2 is under way"),
        ({"base": "1" * 64}, "rejected", "expected an update of the weights 000000000000, got one of 111111111111"),
        ({"samples": 151}, "rejected", "expected at most 150 samples, the update claims 151"),
    ],
)
def test_a_manifest_that_cannot_count_is_refused(changes: dict[str, object], verdict: str, reason: str) -> None:
    """Run, round, attempt, weights and samples are each held against what was asked for."""
    assert refusal(**changes) == Refusal(verdict, reason)  # type: ignore[arg-type]


def test_strangers_are_refused() -> None:
    """A device that was not invited does not count."""
    assert refusal("b") == Refusal("rejected", "not invited to round 3")


def test_a_closed_round_takes_nothing() -> None:
    """While a round is averaged, updates are stale."""
    assert refusal(asked=replace(ASKED, taking=False)) == Refusal("stale", "round 3 is closed")


def test_the_same_again_is_a_duplicate_and_another_is_rejected() -> None:
    """One update of each device counts, the first; even after the round is closed its repeat is a duplicate."""
    same = replace(ASKED, counted={"a": UPDATE.blob.sha256}, taking=False)
    assert refusal(asked=same) == Refusal("duplicate")
    other = refusal(asked=replace(ASKED, counted={"a": "2" * 64}))
    assert other == Refusal("rejected", "another update of this device counts in round 3 already")


def test_size_is_bounded() -> None:
    """An update that is larger than weights can be is refused before its chunks are taken."""
    large = BlobRef(sha256="3" * 64, size_bytes=10_001, chunk_bytes=256)
    assert refusal(blob=large) == Refusal("rejected", "expected at most 10000 bytes, the update announces 10001")


def test_samples_have_a_bound_without_a_presence() -> None:
    """Where a device's samples are not known, the setting bounds them."""
    unknown = replace(ASKED, announced=None)
    assert refusal(asked=unknown, samples=1000) is None
    assert refusal(asked=unknown, samples=1001) is not None


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"k": np.ones((2, 3), np.float32)}, "lacking b"),
        ({"k": np.ones((3, 2), np.float32), "b": np.ones(3, np.float32)}, "expected float32 of shape (2, 3)"),
        ({"k": np.ones((2, 3), np.float64), "b": np.ones(3, np.float32)}, "expected float32"),
        ({"k": np.full((2, 3), np.nan, np.float32), "b": np.ones(3, np.float32)}, "expected finite values"),
        ({"k": np.full((2, 3), np.inf, np.float32), "b": np.ones(3, np.float32)}, "expected finite values"),
    ],
)
def test_tensors_that_cannot_count_are_refused(tensors: dict[str, np.ndarray], reason: str) -> None:
    """Names, shapes, dtypes and finiteness are checked before an update counts."""
    refused = check_tensors(encode_tensors(tensors), shapes=SHAPES, base=BASE, bounds=BOUNDS)
    assert refused is not None
    assert refused.verdict == "rejected"
    assert reason in refused.reason


def test_bytes_that_are_no_tensors_are_refused() -> None:
    """Rubbish is a reason, not a crash."""
    refused = check_tensors(b"rubbish" * 10, shapes=SHAPES, base=BASE, bounds=BOUNDS)
    assert refused is not None
    assert refused.verdict == "rejected"


def test_a_step_can_be_bounded_by_its_norm() -> None:
    """Nine ones are a step of norm 3."""
    assert check_tensors(GOOD, shapes=SHAPES, base=BASE, bounds=replace(BOUNDS, max_norm_l2=3.0)) is None
    refused = check_tensors(GOOD, shapes=SHAPES, base=BASE, bounds=replace(BOUNDS, max_norm_l2=2.9))
    assert refused == Refusal("rejected", "expected a step of L2 norm 2.9 at most, the update's is 3")
