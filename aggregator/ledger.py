"""What a round cost: time, bytes, samples, and what the devices measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shared.messages import Score, UpdateManifest


class RoundLedger:
    """Counts from the publishing of a round's manifest to its commit.

    Args:
        started: on the loop's clock, in seconds.
        started_unix_s: the same moment on the wall clock.
        received_bytes: the reception's count then.
        delivered_bytes: the sender's count then.
    """

    def __init__(self, *, started: float, started_unix_s: float, received_bytes: int, delivered_bytes: int) -> None:
        self._started = started
        self._started_unix_s = started_unix_s
        self._received_before = received_bytes
        self._delivered_before = delivered_bytes
        self.manifest_bytes_down = 0

    def close(
        self,
        *,
        now: float,
        received_bytes: int,
        delivered_bytes: int,
        manifests: Sequence[UpdateManifest],
        weights_sha256: str,
    ) -> dict[str, Any]:
        """Return the line of metrics, but for the evaluation.

        Args:
            now: on the loop's clock, in seconds.
            received_bytes: the reception's count now.
            delivered_bytes: the sender's count now.
            manifests: of the updates that count.
            weights_sha256: of the round's result.
        """
        wall_s = now - self._started
        began, ended = self._started_unix_s, self._started_unix_s + wall_s
        training = covered(
            (max(m.metrics.train_started_unix_s, began), min(m.metrics.train_ended_unix_s, ended)) for m in manifests
        )
        return {
            "participants": len(manifests),
            "samples": sum(manifest.samples for manifest in manifests),
            "wall_s": round(wall_s, 4),
            "train_s": round(training, 4),
            "outside_training_s": round(wall_s - training, 4),
            "bytes_up": received_bytes - self._received_before,
            "bytes_down": delivered_bytes - self._delivered_before + self.manifest_bytes_down,
            "weights_sha256": weights_sha256,
            "train": mean_score(m.metrics.train for m in manifests),
            "holdout_before": mean_score(m.metrics.holdout_before for m in manifests),
            "holdout_after": mean_score(m.metrics.holdout_after for m in manifests),
        }


def covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of intervals; those that end before they begin are empty."""
    total, reached = 0.0, float("-inf")
    for start, stop in sorted(intervals):
        start = max(start, reached)
        if stop > start:
            total += stop - start
            reached = stop
    return total


def mean_score(scores: Iterable[Score | None]) -> dict[str, float] | None:
    """Return the mean over all samples of all devices; None if there is no sample."""
    there = [score for score in scores if score is not None and score.samples]
    samples = sum(score.samples for score in there)
    if not samples:
        return None
    return {
        "loss": sum(score.loss * score.samples for score in there) / samples,
        "accuracy": sum(score.accuracy * score.samples for score in there) / samples,
        "samples": samples,
    }
