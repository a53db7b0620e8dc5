"""Devices that attack: what they send, who they are, and that only a simulation has them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.cli import entry
from deploy.simulate.attack import Attack, parse_attack
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.hostile_trainer import HostileTrainer, flipped, poisoned
from deploy.simulate.launch import device_children
from deploy.simulate.plan import DevicePlan, FleetPlan, choose_attackers
from deploy.simulate.settings import SimulationSettings
from deploy.simulate.worker_plan import WorkerPlan
from edge_client.trainer import Workbench
from shared.dataset import Dataset
from shared.errors import SettingsError
from shared.labels import label_set


def load(**given: Any) -> SimulationSettings:
    return SimulationSettings.load(given=given, environ={})


def scribbles(count: int) -> Dataset:
    labels = label_set("arithmetic").labels
    names = np.array([labels[i % len(labels)] for i in range(count)], np.str_)
    return Dataset(np.zeros((count, 45, 45), np.uint8), names, np.array(["w"] * count, np.str_))


@pytest.mark.parametrize(
    ("text", "attack"),
    [
        ("sign-flip", Attack("sign-flip", 4.0)),
        ("scale:100", Attack("scale", 100.0)),
        ("label-flip", Attack("label-flip", 1.0)),
        ("label-flip:2.5", Attack("label-flip", 2.5)),
    ],
)
def test_an_attack_has_a_name_and_a_strength(text: str, attack: Attack) -> None:
    """As it is written on the command line; what is written back means the same."""
    assert parse_attack(text) == attack
    assert parse_attack(str(attack)) == attack
    assert load(attack=text).attack == str(attack)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flip", "there is no attack 'flip'; choose one of sign-flip, scale, label-flip"),
        ("scale:0", "the strength of an attack lies above 0"),
        ("scale:", "the strength of an attack lies above 0"),
        ("scale:nan", "the strength of an attack lies above 0"),
        ("scale:1e9", "the strength of an attack lies above 0, up to"),
    ],
)
def test_another_attack_is_refused_in_words(text: str, says: str) -> None:
    """The option is named, and what there is."""
    with pytest.raises(SettingsError, match=f"^--attack: {says}"):
        load(attack=text)


def test_a_robust_rule_needs_enough_devices() -> None:
    """Krum that assumes two hostile devices has to have seven, and that is said before anything runs."""
    with pytest.raises(
        SettingsError, match="needs 7 updates in every round, and one may close with 6; raise --devices"
    ):
        load(aggregation="krum", byzantine=2, devices=6)
    with pytest.raises(SettingsError, match="raise --per-round"):
        load(aggregation="median", devices=20, per_round=2)


def test_poisoned_weights_lie_where_the_attack_says() -> None:
    """Four times the step the other way; what float32 cannot hold is kept at its end, so that it is not refused."""
    base = {"w": np.array([1.0, 3e38], np.float32)}
    learnt = {"w": np.array([1.5, 3.1e38], np.float32)}
    np.testing.assert_array_equal(poisoned(base, learnt, factor=-4.0)["w"][0], np.float32(-1.0))
    far = poisoned(base, learnt, factor=100.0)["w"]
    assert np.isfinite(far).all()
    assert poisoned(base, learnt, factor=1.0) is learnt


def test_every_label_is_flipped_to_another_one() -> None:
    """A permutation of the classes, the same for all samples, that leaves none in its place."""
    labels = label_set("arithmetic")
    before = scribbles(2 * len(labels.labels))
    after = flipped(before, labels)
    pairs = set(zip(before.labels.tolist(), after.labels.tolist(), strict=True))
    assert len(pairs) == len({new for _, new in pairs}) == len(labels.labels)
    assert all(old != new for old, new in pairs)


def test_who_attacks_is_drawn_by_the_seed() -> None:
    """The share of the devices, at least one, the same for the same seed."""
    assert len(choose_attackers(load(devices=10))) == 2
    assert len(choose_attackers(load(devices=3))) == 1
    assert choose_attackers(load(devices=50, seed=3)) == choose_attackers(load(devices=50, seed=3))
    assert choose_attackers(load(devices=50, seed=3)) != choose_attackers(load(devices=50, seed=4))


@pytest.mark.parametrize("workers", [0, 2])
def test_attackers_are_hosted_by_workers_and_others_are_the_product_itself(tmp_path: Path, workers: int) -> None:
    """Each attacker is in one worker that knows the attack; the command that a person starts is never told of it."""
    settings = load(attack="scale", devices=6, attackers=0.4, workers=workers)
    names = [f"device-{i:03d}" for i in range(1, 7)]
    attackers = choose_attackers(settings)
    plan = FleetPlan("writer", tuple(DevicePlan(name, scribbles(1)) for name in names), attackers)
    hosted: list[str] = []
    alone: list[str] = []
    for name, arguments in device_children(settings, plan, folder=FleetFolder(tmp_path), fleet="f"):
        if arguments[0] == "device":
            alone.append(name)
            assert "scale" not in " ".join(arguments)
        else:
            worker = WorkerPlan.model_validate_json(Path(arguments[1]).read_bytes())
            assert worker.attack == "scale:20"
            hosted += worker.attackers
            alone += [one["name"] for one in worker.devices if one["name"] not in worker.attackers]
    assert sorted(hosted) == sorted(attackers)
    assert sorted(alone) == sorted(set(names) - attackers)


def test_the_products_device_has_no_such_switch() -> None:
    """``inkfleet device`` and ``inkfleet aggregator`` know no attack."""
    for command in ("device", "aggregator"):
        assert "--attack" not in CliRunner().invoke(entry, [command, "--help"]).output
    assert "--attack" in CliRunner().invoke(entry, ["simulate", "--help"]).output


@dataclass
class _Check:
    """A job that is no training."""

    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, workbench: Workbench) -> str:
        return "checked"


def test_an_attacker_does_everything_else_as_it_is_told() -> None:
    """Jobs that are no trainings come out as they are."""
    trainer = HostileTrainer(Attack("scale", 20.0))
    try:
        assert trainer.submit(_Check()).result(timeout=60) == "checked"
    finally:
        trainer.close()
