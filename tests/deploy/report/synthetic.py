"""A made-up simulation to draw reports of."""

from __future__ import annotations

import numpy as np

from deploy.report.record import DeviceRecord, RoundRecord, RunRecord, SimulationRecord
from shared.labels import ARITHMETIC
from shared.messages import Score


def record(
    *partitions: str, devices: int = 8, rounds: int = 12, planned: int | None = None, per_round: int = 0
) -> SimulationRecord:
    """Make up a simulation with a run for each partition; ``planned`` rounds more than done make it unfinished."""
    rng = np.random.default_rng(3)
    return SimulationRecord(
        labels=ARITHMETIC,
        label_set="arithmetic",
        tested_on="6 writers never seen",
        test_samples=4120,
        rounds_planned=planned or rounds,
        per_round=per_round,
        settings={"devices": str(devices), "rounds": str(rounds)},
        command="inkfleet simulate --devices 8 --rounds 12 --seed 7",
        versions={"inkfleet": "0.1.0", "python": "3.11"},
        machine="Linux on x86_64, 2 cores",
        broker="embedded broker at mqtt://127.0.0.1:1883",
        started="2026-11-22T15:20:00+00:00",
        notes=("left out 3: <script>alert(1)</script>",),
        runs=tuple(_run(partition, devices, rounds, rng, finished=planned is None) for partition in partitions),
    )


def _run(partition: str, devices: int, rounds: int, rng: np.random.Generator, *, finished: bool) -> RunRecord:
    held = []
    for number in range(devices):
        counts = rng.multinomial(300, rng.dirichlet([1.0] * len(ARITHMETIC)))
        before = float(rng.beta(20, 2))
        after = float(np.clip(before + rng.normal(0, 0.03), 0, 1))
        held.append(
            DeviceRecord(
                name=f"device-{number + 1:03d}",
                writers=1,
                labels={label: int(n) for label, n in zip(ARITHMETIC, counts, strict=True) if n},
                rounds=rounds,
                holdout_before=Score(loss=0.2, accuracy=before, samples=30),
                holdout_after=Score(loss=0.2, accuracy=after, samples=30),
            )
        )
    lines = [
        RoundRecord(
            partition=partition,
            round=number,
            accuracy=0.97 - 0.9 * float(np.exp(-number / 3)),
            loss=0.1 + 2.5 * float(np.exp(-number / 3)),
            participants=devices,
            samples=270 * devices,
            wall_s=4.0,
            bytes_up=1_441_000 * devices,
            bytes_down=1_441_000 * devices,
            outside_training_s=0.5,
            weights_sha256="ab12" * 16,
        )
        for number in range(1, rounds + 1)
    ]
    confusion = np.diag(np.full(len(ARITHMETIC), 200))
    confusion[1, 15] = 17
    confusion[7, 1] = 9
    return RunRecord(
        partition=partition,
        rounds=tuple(lines),
        devices=tuple(held),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        weights_sha256="cd34" * 16,
        wall_s=61.0,
        finished=finished,
    )
