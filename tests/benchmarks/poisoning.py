"""What each aggregation bears: a fleet of real writers, a fifth of which attacks. Accuracies at the end, in a table.

``python -m tests.benchmarks.poisoning DATA.npz``; without data, generated handwriting. A row is an aggregation, a
column what the attackers do; each cell is a fleet trained from the same first weights. Seeds differ in who is held out
for the test, who attacks, and the training.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aggregator.aggregation import aggregation_for
from deploy.simulate.attack import Attack, parse_attack
from deploy.simulate.plan import SimulationPlan, make_plan
from deploy.simulate.settings import SimulationSettings
from shared.dataset import Dataset
from tests.poisoned_fleet import PoisonedFleet, Trial

DEVICES, ROUNDS, SAMPLES, SHARE = 10, 8, 250, 0.2
TRAINING = {"optimizer": "adam", "lr": 0.002}

AGGREGATIONS: dict[str, dict[str, Any]] = {
    "mean": {},
    "mean, clipped": {"clip_to_median": 1.0},
    "median": {"rule": "median"},
    "trimmed-mean": {"rule": "trimmed-mean"},
    "krum": {"rule": "krum"},
    "multi-krum": {"rule": "multi-krum"},
    "trimmed-mean, clipped": {"rule": "trimmed-mean", "clip_to_median": 1.0},
    "multi-krum, clipped": {"rule": "multi-krum", "clip_to_median": 1.0},
}
"""The options of each, see `aggregation_for`; clipped is ``--clip-to-median 1``."""

RECOMMENDED = "multi-krum"

ATTACKS = ("none", "sign-flip", "scale", "label-flip", "label-flip:10")


@dataclass
class Cell:
    """One aggregation under one attack, over the seeds.

    Attributes:
        accuracies: at the end, 0 to 1.
        caught: the share of the attackers that were suspected in half of the rounds or more.
        accused: the same of the others.
    """

    accuracies: list[float] = field(default_factory=list)
    caught: list[float] = field(default_factory=list)
    accused: list[float] = field(default_factory=list)

    def add(self, trial: Trial, *, devices: Sequence[str]) -> None:
        """Take in the outcome of one seed."""
        self.accuracies.append(trial.accuracies[-1])
        often = {
            device: 2 * sum(device in line.suspects for line in trial.measured) >= len(trial.measured)
            for device in devices
        }
        honest = [often[device] for device in devices if device not in trial.attackers]
        self.accused.append(statistics.fmean(honest))
        if trial.attackers:
            self.caught.append(statistics.fmean(often[device] for device in trial.attackers))


def fleet_of(
    data: Path | None,
    *,
    seed: int,
    devices: int = DEVICES,
    rounds: int = ROUNDS,
    samples: int = SAMPLES,
    attackers: float = SHARE,
) -> tuple[SimulationSettings, SimulationPlan]:
    """Deal out the handwriting of the most prolific writers, one a device, so many samples each at the most.

    Args:
        data: any dataset; generated handwriting if None.
        seed: of everything that is drawn.
        devices: in the fleet.
        rounds: of one epoch each.
        samples: of a device, and ten times as many of the test set.
        attackers: the share of the devices that attack.
    """
    given = {"devices": devices, "rounds": rounds, "seed": seed, "attackers": attackers, "local_epochs": 1}
    settings = SimulationSettings.load(given=given | TRAINING | ({"data": data} if data else {}), environ={})
    plan = make_plan(settings)
    rng = np.random.default_rng([seed, samples])

    def some(dataset: Dataset, most: int) -> Dataset:
        return dataset.take(np.sort(rng.permutation(len(dataset))[:most]))

    fleet = plan.fleets[0]
    held = tuple(replace(device, data=some(device.data, samples)) for device in fleet.devices)
    return settings, replace(plan, test=some(plan.test, 10 * samples), fleets=(replace(fleet, devices=held),))


def main() -> None:
    """Train all fleets; print a Markdown table, and before it each outcome as a line of JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path, nargs="?")
    options.add_argument("--devices", type=int, default=DEVICES)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    options.add_argument("--samples", type=int, default=SAMPLES)
    options.add_argument("--attackers", type=float, default=SHARE)
    options.add_argument("--seeds", type=int, nargs="+", default=[7, 8])
    options.add_argument("--aggregations", nargs="+", choices=list(AGGREGATIONS), default=list(AGGREGATIONS))
    options.add_argument("--attacks", nargs="+", default=list(ATTACKS))
    chosen = options.parse_args()
    attacks: dict[str, Attack | None] = {
        name: None if name == "none" else parse_attack(name) for name in chosen.attacks
    }
    table = {(row, column): Cell() for row in chosen.aggregations for column in attacks}
    for seed in chosen.seeds:
        settings, plan = fleet_of(
            chosen.data,
            seed=seed,
            devices=chosen.devices,
            rounds=chosen.rounds,
            samples=chosen.samples,
            attackers=chosen.attackers,
        )
        names = [device.name for device in plan.fleets[0].devices]
        with (
            tempfile.TemporaryDirectory() as folder,
            PoisonedFleet(settings, plan, folder=Path(folder)) as fleet,
        ):
            for (row, column), cell in table.items():
                began = time.process_time()
                aggregation = aggregation_for(byzantine=chosen.attackers, **AGGREGATIONS[row])
                trial = fleet.run(aggregation, attack=attacks[column])
                cell.add(trial, devices=names)
                line = {
                    "aggregation": row,
                    "attack": column,
                    "seed": seed,
                    "accuracies": [round(accuracy, 4) for accuracy in trial.accuracies],
                    "caught": cell.caught[-1:],
                    "accused": cell.accused[-1:],
                    "cpu_s": round(time.process_time() - began, 1),
                }
                print(json.dumps(line), flush=True)  # noqa: T201
    print(in_markdown(table, rows=chosen.aggregations, columns=list(attacks)))  # noqa: T201


def in_markdown(table: dict[tuple[str, str], Cell], *, rows: Sequence[str], columns: Sequence[str]) -> str:
    """Write the mean accuracies, in percent; of several seeds also the range."""
    lines = ["| aggregation | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    for row in rows:
        cells = [_percent(table[row, column].accuracies) for column in columns]
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _percent(accuracies: Sequence[float]) -> str:
    mean = f"{100 * statistics.fmean(accuracies):.1f}"
    if len(accuracies) == 1:
        return mean
    return f"{mean} ({100 * min(accuracies):.1f}–{100 * max(accuracies):.1f})"


if __name__ == "__main__":
    main()
