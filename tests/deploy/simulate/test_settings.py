"""The settings of a simulation."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from deploy.simulate.settings import OPERATIONAL, SimulationSettings
from shared.errors import SettingsError


def load(**given: object) -> SimulationSettings:
    return SimulationSettings.load(given=given, environ={})


def test_fewer_devices_than_a_round_needs_are_refused_by_name() -> None:
    """--per-round above --devices is one line that names both."""
    with pytest.raises(SettingsError, match=r"--per-round asks for 10 devices a round, and --devices makes 4"):
        load(devices=4, per_round=10)


def test_a_quorum_that_no_round_can_reach_is_refused() -> None:
    """--quorum above the devices that train in a round cannot be."""
    with pytest.raises(SettingsError, match="--quorum asks for 5 updates a round, and 3 devices"):
        load(devices=8, per_round=3, quorum=5)


def test_a_partition_is_given_once() -> None:
    """Two runs of one partition would overwrite each other's weights."""
    with pytest.raises(SettingsError, match="iid is given twice"):
        load(partition=("iid", "shards", "iid"))


def test_an_unknown_setting_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    """A misspelt key of the file is named, with the one that was meant."""
    file = tmp_path / "fleet.toml"
    file.write_text("[simulate]\ndevises = 4\n")
    with pytest.raises(SettingsError, match=r"has no setting 'devises'; did you mean devices\?"):
        SimulationSettings.load(given={}, environ={}, file=file)


def test_the_command_repeats_the_settings() -> None:
    """The command line in the report gives the same settings again."""
    settings = load(devices=20, per_round=10, partition=("iid", "dirichlet:0.3"), lr=0.1, out=Path("runs/a b"))
    words = shlex.split(settings.as_command())
    assert words[:2] == ["inkfleet", "simulate"]
    given: dict[str, list[str]] = {}
    for name, value in zip(words[2::2], words[3::2], strict=True):
        given.setdefault(name.removeprefix("--").replace("-", "_"), []).append(value)
    again = load(**{name: values if name == "partition" else values[0] for name, values in given.items()})
    assert again == settings
    assert load(page=True).as_command().endswith(" --page")


def test_what_defines_a_result_leaves_out_how_it_is_run() -> None:
    """Broker, folder, processes and patience may change when a run is resumed; nothing else may."""
    one = load().result_defining()
    other = load(broker="embedded", out=Path("elsewhere"), workers=3, deadline_s=5.0).result_defining()
    assert one == other
    assert set(one) == set(SimulationSettings.model_fields) - set(OPERATIONAL)


def test_over_selection_needs_a_number_to_exceed() -> None:
    """--over-select without --per-round is one line that names both."""
    with pytest.raises(SettingsError, match="--over-select invites more devices than --per-round"):
        load(devices=8, over_select=0.3)
    assert load(devices=8, per_round=4, over_select=0.5).over_select == 0.5
