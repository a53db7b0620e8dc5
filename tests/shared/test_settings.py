"""Settings: one schema; the command line over the environment over the file over the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from shared.errors import SettingsError
from shared.settings import Settings


class Example(Settings):
    """Settings as a command has them."""

    section: ClassVar[str] = "device"

    name: str
    rounds: int = Field(default=3, ge=1)
    labels: tuple[str, ...] = ()


def write(folder: Path, text: str) -> Path:
    """Write a settings file."""
    file = folder / "fleet.toml"
    file.write_text(text)
    return file


def test_the_nearest_place_wins(tmp_path: Path) -> None:
    """Command line over environment over file over default."""
    file = write(tmp_path, '[device]\nname = "file"\nrounds = 5\n')
    assert Example.load(given={}, environ={}, file=file).name == "file"
    environ = {"INKFLEET_DEVICE_NAME": "variable", "INKFLEET_DEVICE_LABELS": "a, b"}
    loaded = Example.load(given={"rounds": 9}, environ=environ, file=file)
    assert loaded == Example(name="variable", rounds=9, labels=("a", "b"))
    assert Example.load(given={"name": "line"}, environ=environ).rounds == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[device]\nnmae = 1\n", r"fleet.toml: \[device\] has no setting 'nmae'; did you mean name\?"),
        ("[devices]\nname = 1\n", r"unknown table \[devices\]"),
        ("[device]\nname = 'a'\nrounds = 0\n", r"fleet.toml: \[device\] rounds: .*greater than or equal to 1, got 0"),
        ("[device\n", "is not TOML: .*line 1"),
        ("device = 3\n", "must be a table"),
        ("a = " + "[" * 100_000, "is not TOML: .* nested too deep"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    """File, table and key are named, and what was expected."""
    with pytest.raises(SettingsError, match=message) as caught:
        Example.load(given={"name": "x"} if "rounds" not in text else {}, environ={}, file=write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["INKFLEET_FOO", "INKFLEET_DEVISE_NAME", "INKFLEET_"])
def test_a_variable_of_no_section_is_refused(name: str) -> None:
    """A variable that looks like a setting, but is no command's, is named; those of other commands pass."""
    others = {"INKFLEET_SIMULATE_SEED": "1", "INKFLEET_DATA_IMPORT_OUT": "x", "INKFLEET_TEST_DATA": "y"}
    assert Example.load(given={"name": "kitchen"}, environ=others).name == "kitchen"
    with pytest.raises(SettingsError, match=rf"{name} is no setting; there are .*INKFLEET_DEVICE_"):
        Example.load(given={"name": "kitchen"}, environ={name: "1"})


def test_an_unknown_variable_of_the_section_is_refused() -> None:
    """A misspelt variable is not passed over in silence."""
    with pytest.raises(SettingsError, match="INKFLEET_DEVICE_NAEM is no setting; did you mean INKFLEET_DEVICE_NAME"):
        Example.load(given={"name": "x"}, environ={"INKFLEET_DEVICE_NAEM": "y"})


def test_a_wrong_value_is_named_where_it_was_given() -> None:
    """An option's mistake names the option, a variable's the variable, a missing one itself."""
    with pytest.raises(SettingsError, match=r"^--rounds: .* got -1"):
        Example.load(given={"name": "x", "rounds": -1}, environ={})
    with pytest.raises(SettingsError, match=r"^INKFLEET_DEVICE_ROUNDS: .* got 'many'"):
        Example.load(given={"name": "x"}, environ={"INKFLEET_DEVICE_ROUNDS": "many"})
    with pytest.raises(SettingsError, match=r"^--name: is needed"):
        Example.load(given={}, environ={})


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """A settings file that is not there is said to be missing."""
    with pytest.raises(SettingsError, match=r"nowhere.toml: No such file"):
        Example.load(given={}, environ={}, file=tmp_path / "nowhere.toml")
