"""Rounds as tests of the device need them."""

from __future__ import annotations

from typing import Any

from shared.messages import BlobRef, LocalMetrics, ModelRef, RoundManifest, Score, TrainingPlan, UpdateManifest

MODEL = ModelRef(
    name="arithmetic",
    manifest=BlobRef.of(b"manifest", chunk_bytes=256),
    program=BlobRef.of(b"program", chunk_bytes=256),
    reader=BlobRef.of(b"reader", chunk_bytes=256),
)


def manifest(round_number: int = 1, **changes: Any) -> RoundManifest:
    """An open round that ``kitchen`` is invited to; its weights are named after run and round."""
    run = changes.get("run", "run")
    values: dict[str, Any] = {
        "run": run,
        "round": round_number,
        "rounds": 9,
        "phase": "open",
        "invited": ("kitchen",),
        "quorum": 1,
        "deadline_unix_s": 2e9,
        "model": MODEL,
        "weights": BlobRef.of(f"{run} {round_number}".encode(), chunk_bytes=256),
        "plan": TrainingPlan(),
    }
    return RoundManifest(**(values | changes))


def update(of: RoundManifest, *, blob: bytes = b"u" * 1000) -> UpdateManifest:
    """An update to a round, of four chunks."""
    return UpdateManifest(
        run=of.run,
        round=of.round,
        attempt=of.attempt,
        samples=10,
        base=of.weights.sha256,
        blob=BlobRef.of(blob, chunk_bytes=256),
        metrics=LocalMetrics(train=Score(loss=1.0, accuracy=0.5, samples=10)),
    )
