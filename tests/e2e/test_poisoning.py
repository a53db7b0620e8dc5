"""A fleet that is lied to: the mean is led astray, a robust aggregation is not, and names who did it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aggregator.aggregation import aggregation_for
from deploy.report.record import SimulationRecord
from deploy.simulate.attack import parse_attack
from deploy.simulate.plan import make_plan
from deploy.simulate.settings import SimulationSettings
from tests.benchmarks.poisoning import AGGREGATIONS, RECOMMENDED, fleet_of
from tests.e2e.conftest import Command
from tests.poisoned_fleet import PoisonedFleet

MOST_LOST = 0.02
"""What a robust aggregation may lose under attack, against the mean of a fleet that is not attacked."""


@pytest.mark.slow
def test_one_device_of_five_ruins_the_mean_and_not_the_robust_choice(tmp_path: Path) -> None:
    """Generated writers, real training: the attacker sends its step the other way round, four times as long."""
    given = {"devices": 5, "rounds": 3, "seed": 3, "local_epochs": 2, "optimizer": "adam", "lr": 0.003, "augment": 0.0}
    handwriting = {"generated_samples": 102, "generated_spread": 0.2}
    settings = SimulationSettings.load(given=given | handwriting, environ={})
    plan = make_plan(settings)
    few = replace(plan, test=plan.test.take(np.arange(0, len(plan.test), 4)))
    attack = parse_attack("sign-flip")
    with PoisonedFleet(settings, few, folder=tmp_path) as fleet:
        clean = fleet.run(aggregation_for())
        misled = fleet.run(aggregation_for(), attack=attack)
        robust = fleet.run(aggregation_for(**AGGREGATIONS[RECOMMENDED]), attack=attack)
    assert clean.accuracies[-1] > 0.7
    assert misled.accuracies[-1] < clean.accuracies[-1] / 2
    # A fifth of the samples is not learnt from, and that shows in so few rounds.
    assert robust.accuracies[-1] > clean.accuracies[-1] - 0.06
    assert [set(measured.suspects) for measured in robust.measured] == [robust.attackers] * settings.rounds


@pytest.mark.slow
@pytest.mark.xdist_group("e2e")
def test_a_simulated_attack_is_done_and_reported(inkfleet: Callable[..., Command], tmp_path: Path) -> None:
    """Through real processes: the attacker among five devices is named by the aggregator, in metrics and report."""
    words = ("simulate", "--devices", 5, "--rounds", 1, "--generated-samples", 40, "--local-epochs", 1, "--workers", 1)
    attack = ("--attack", "sign-flip:30", "--aggregation", "multi-krum", "--clip-to-median", 1, "--seed", 3)
    command = inkfleet(*words, *attack, "--out", "run", "--json")
    assert command.end() == 0, command.lines
    record = SimulationRecord.load(tmp_path / "run" / "run.json")
    devices = record.runs[0].devices
    attackers = {device.name for device in devices if device.attacks}
    assert len(attackers) == 1
    assert {device.name for device in devices if device.suspected} == attackers
    assert attackers <= {device.name for device in devices if device.left_out}
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    assert set(line["aggregation"]["suspects"]) == attackers
    assert set(line["aggregation"]["by_device"]["krum_score"]) == {device.name for device in devices}
    assert "1 device attacked the fleet (sign-flip:30)" in (tmp_path / "run" / "report.html").read_text()


@pytest.fixture(scope="module")
def writers(handwriting: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PoisonedFleet, float]]:
    """Twenty CROHME writers, and what the mean of them comes to where nobody attacks."""
    settings, plan = fleet_of(handwriting / "crohme45_train.npz", seed=7, devices=20)
    with PoisonedFleet(settings, plan, folder=tmp_path_factory.mktemp("writers")) as fleet:
        yield fleet, fleet.run(aggregation_for()).accuracies[-1]


@pytest.mark.soak
@pytest.mark.parametrize("attack", ["sign-flip", "scale", "label-flip:10"])
def test_real_writers_bear_a_fifth_of_attackers(writers: tuple[PoisonedFleet, float], attack: str) -> None:
    """On the CROHME writers the mean collapses, and the robust choice stays within two points of the clean run."""
    fleet, clean = writers
    misled = fleet.run(aggregation_for(), attack=parse_attack(attack)).accuracies[-1]
    robust = fleet.run(aggregation_for(**AGGREGATIONS[RECOMMENDED]), attack=parse_attack(attack)).accuracies[-1]
    assert misled < clean - 0.2
    assert robust > clean - MOST_LOST
