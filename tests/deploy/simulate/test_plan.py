"""From settings and data to what every device holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.simulate.plan import make_plan
from deploy.simulate.settings import SimulationSettings
from shared.dataset import Dataset, concatenate
from shared.errors import DataError, ModelError, SettingsError
from shared.labels import ARITHMETIC
from shared.sample import SIDE
from tflite_models.shipped_weights import default_weights_path, first_weights_path


def handwriting_of(writers: dict[str, int], *, labels: tuple[str, ...] = ARITHMETIC, seed: int = 0) -> Dataset:
    """Scribbles with ink from edge to edge, so many of each writer."""
    rng = np.random.default_rng(seed)
    count = sum(writers.values())
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    images[:, 0, :] = images[:, -1, :] = images[:, :, 0] = 255
    images[:, 5:40, 5:40] = 255 * (rng.random((count, 35, 35)) < 0.1)
    names = [name for name, n in writers.items() for _ in range(n)]
    chosen = [labels[i % len(labels)] for i in range(count)]
    return Dataset(images, np.array(chosen, np.str_), np.array(names, np.str_))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set by twenty writers, the first the most prolific."""
    path = tmp_path / "hands.npz"
    handwriting_of({f"w{i:02d}": 40 - i for i in range(20)}).save(path)
    return path


def settings(**given: object) -> SimulationSettings:
    return SimulationSettings.load(given=given, environ={})


def test_writers_held_out_are_on_no_device(data: Path) -> None:
    """The test set holds a share of the writers, and all they wrote."""
    plan = make_plan(settings(data=data, devices=5, holdout_writers=0.2))
    tested = set(plan.test.writers.tolist())
    assert len(tested) == 4
    assert plan.tested_on == "4 writers never seen"
    assert tested.isdisjoint({w for device in plan.fleets[0].devices for w in device.data.writers.tolist()})


def test_devices_get_the_writers_with_the_most_samples(data: Path) -> None:
    """Under writer, each device has one person's handwriting, of the most prolific who are not held out."""
    plan = make_plan(settings(data=data, devices=6))
    held = {int(w[1:]) for w in plan.test.writers.tolist()}
    expected = [f"w{i:02d}" for i in range(20) if i not in held][:6]
    assert [set(device.data.writers.tolist()) for device in plan.fleets[0].devices] == [{w} for w in expected]


def test_the_data_are_other_data_when_dealt_out_otherwise(data: Path) -> None:
    """The same samples over other devices, or by other hands, are no base to resume on."""
    plan = make_plan(settings(data=data, devices=5))
    again = make_plan(settings(data=data, devices=5))
    assert plan.data_sha256() == again.data_sha256()
    (fleet,) = plan.fleets
    one, two, *rest = fleet.devices
    moved = (
        replace(one, data=one.data.take(np.arange(len(one.data) - 1))),
        replace(two, data=concatenate([one.data.take(np.array([len(one.data) - 1])), two.data])),
    )
    dealt = replace(plan, fleets=(replace(fleet, devices=(*moved, *rest)),))
    assert dealt.data_sha256() != plan.data_sha256()
    stranger = replace(one, data=replace(one.data, writers=np.array(["somebody"] * len(one.data), np.str_)))
    signed = replace(plan, fleets=(replace(fleet, devices=(stranger, two, *rest)),))
    assert signed.data_sha256() != plan.data_sha256()


def test_never_seen_is_said_only_where_it_is_known(tmp_path: Path) -> None:
    """Samples that name no writer may be by those held out, and a test set may share writers: both are said."""
    path = tmp_path / "some.npz"
    handwriting_of({"a": 30, "b": 30, "c": 30, "": 25}).save(path)
    plan = make_plan(settings(data=path, devices=2, holdout_writers=0.3, partition=["iid"]))
    assert plan.tested_on == "1 writer held out (25 training samples name no writer)"
    assert any("25 of the samples to train on name no writer" in line for line in plan.notes)
    other = tmp_path / "test.npz"
    handwriting_of({"c": 12, "d": 20}).save(other)
    plan = make_plan(settings(data=path, test_data=other, devices=2, partition=["iid"]))
    assert any("1 of the writers that are trained on wrote 12 of the 32 test samples" in line for line in plan.notes)


def test_with_test_data_nothing_is_held_out(data: Path, tmp_path: Path) -> None:
    """All writers of the data may have a device when the test set is given."""
    test = tmp_path / "test.npz"
    handwriting_of({"t": 30}, seed=9).save(test)
    plan = make_plan(settings(data=data, test_data=test, devices=20))
    assert sum(len(device.data) for device in plan.fleets[0].devices) == sum(40 - i for i in range(20))
    assert len(plan.test) == 30


def test_runs_that_are_compared_with_writer_share_its_samples(data: Path) -> None:
    """With writer among the partitions, every run trains on the samples of the same writers."""
    plan = make_plan(settings(data=data, devices=5, partition=("iid", "writer")))
    sizes = [sum(len(device.data) for device in fleet.devices) for fleet in plan.fleets]
    assert sizes[0] == sizes[1] > 0


def test_the_same_seed_gives_the_same_plan(data: Path) -> None:
    """Who is held out and what is dealt out depends on the seed alone."""
    one, same, other = (
        make_plan(settings(data=data, devices=5, partition=("iid",), seed=seed)).data_sha256() for seed in (7, 7, 8)
    )
    assert one == same != other


def test_without_data_handwriting_is_generated() -> None:
    """Every device has a made-up person of its own, and people on no device are tested on."""
    plan = make_plan(settings(devices=3, generated_samples=20))
    writers = [set(device.data.writers.tolist()) for device in plan.fleets[0].devices]
    assert [len(one) for one in writers] == [1, 1, 1]
    assert len(set.union(*writers)) == 3
    assert set.union(*writers).isdisjoint(plan.test.writers.tolist())
    assert len(plan.test.writers_by_samples()) >= 12


def test_data_without_writers_are_held_out_by_samples(tmp_path: Path) -> None:
    """Where nobody knows who wrote what, a share of the samples is kept for the test, and the wording says so."""
    path = tmp_path / "anonymous.npz"
    handwriting_of({"": 100}).save(path)
    plan = make_plan(settings(data=path, devices=4, partition=("iid",)))
    assert len(plan.test) == 10
    assert plan.tested_on == "samples held out (the data name no writers)"


def test_classes_outside_the_label_set_are_left_out_and_told(tmp_path: Path) -> None:
    """Other classes do not end a run, and they do not vanish silently either."""
    path = tmp_path / "mixed.npz"
    handwriting_of({f"w{i}": 40 for i in range(5)}, labels=("1", "2", "alpha")).save(path)
    said: list[str] = []
    plan = make_plan(settings(data=path, devices=3), say=said.append)
    assert {label for d in plan.fleets[0].devices for label in d.data.labels.tolist()} == {"1", "2"}
    assert any("'alpha'" in line for line in said)
    assert tuple(said) == plan.notes


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"data": Path("nowhere.npz")}, DataError, "nowhere.npz"),
        ({"partition": ("diagonal",)}, SettingsError, "no partition is called 'diagonal'"),
        ({"partition": ("dirichlet:0.3", "dirichlet:0.30")}, SettingsError, "the same one twice"),
        ({"labels": "runes"}, (SettingsError, ModelError), "runes"),
        ({"weights": Path("nowhere.safetensors")}, ModelError, "nowhere.safetensors"),
    ],
)
def test_a_mistake_is_found_before_anything_starts(given: dict[str, object], error: type[Exception], says: str) -> None:
    """A wrong setting or a missing file is one line that names it."""
    with pytest.raises(error, match=says) as caught:
        make_plan(settings(**{"devices": 2, "generated_samples": 5, **given}))
    assert "\n" not in str(caught.value)


def test_more_devices_than_writers_are_refused(data: Path) -> None:
    """The line says how many writers there are to train on."""
    with pytest.raises(SettingsError, match=r"30 devices need a writer each, and the data name 18"):
        make_plan(settings(data=data, devices=30))


def test_data_of_other_classes_alone_are_refused(tmp_path: Path) -> None:
    """A set without one class of the label set is named with what it holds."""
    path = tmp_path / "greek.npz"
    handwriting_of({"w1": 30, "w2": 30}, labels=("alpha", "beta")).save(path)
    with pytest.raises(DataError, match="alpha, beta"):
        make_plan(settings(data=path, devices=1))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    """First weights must be of the model that is trained."""
    from safetensors.numpy import save_file

    path = tmp_path / "other.safetensors"
    save_file({"dense/kernel": np.zeros((3, 3), np.float32)}, path)
    with pytest.raises(ModelError, match="another model"):
        make_plan(settings(devices=2, generated_samples=5, weights=path))


@pytest.mark.parametrize(
    ("labels", "weights", "begins"),
    [("algebra", None, "ship"), ("algebra", Path("random"), ""), ("arithmetic", None, "")],
)
def test_a_run_begins_with_weights_that_ship_where_some_do(labels: str, weights: Path | None, begins: str) -> None:
    """It says so; asked for random ones, or where none ship, it begins with none."""
    plan = make_plan(settings(devices=2, generated_samples=24, labels=labels, weights=weights))
    assert any("Begins with the weights that ship for algebra" in note for note in plan.notes) == bool(begins)
    found = first_weights_path(weights, label_set=labels, built_in=True)
    assert found == (default_weights_path("algebra") if begins else None)


def test_weights_that_ship_are_named_by_a_word() -> None:
    """Asked for where none ship, the line says for which labels some do; another model has none of its own."""
    with pytest.raises(ModelError, match="only for algebra"):
        make_plan(settings(devices=2, generated_samples=5, weights=Path("shipped")))
    assert first_weights_path(None, label_set="algebra", built_in=False) is None
