"""What a round cost: time, bytes, samples, and what the devices measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shared.messages import LocalMetrics, Score, UpdateManifest


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
        training = covered(_trained(manifest.metrics, began=began, ended=ended) for manifest in manifests)
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


def _trained(metrics: LocalMetrics, *, began: float, ended: float) -> tuple[float, float]:
    """Return when a device trained in a round that lasted from ``began`` to ``ended``, in Unix time.

    By its own clock, as far as that lies within the round. A clock that is hours off puts it outside: then what the
    device measured counts from the beginning, for durations need no date.
    """
    start, stop = metrics.train_started_unix_s, metrics.train_ended_unix_s
    if stop <= began or start >= ended:
        start = began + metrics.fetch_s
        stop = start + metrics.train_s
    return max(start, began), min(stop, ended)


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
