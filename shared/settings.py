"""Settings from the command line, the environment and a TOML file: one schema for defaults, checks and documentation.

A command's settings are a subclass of `Settings`. The command line wins over the environment, the environment over the
file, the file over the defaults. An unknown key is refused, wherever it stands::

    [device]                       # inkfleet device --config fleet.toml
    name = "kitchen"               # or INKFLEET_DEVICE_NAME=kitchen, or --name kitchen
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.bounded_files import read_bounded
from shared.errors import SettingsError

SECTIONS = ("aggregator", "broker", "device", "live", "simulate")
"""The tables a settings file may have, one for each command that reads it."""

MOST_FILE_BYTES = 1 << 20
"""A larger file is no settings."""

OTHER_VARIABLES = ("INKFLEET_DATA_", "INKFLEET_MODEL_", "INKFLEET_READ_", "INKFLEET_TEST_")
"""How the variables begin that are no settings' of a section: the options of some commands, and what the tests read."""


class Settings(BaseModel):
    """The settings of one command, immutable and checked.

    Attributes:
        section: the table of the TOML file, and the middle of the environment variables' names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: ClassVar[str]

    @classmethod
    def variable(cls, field: str) -> str:
        """Name the environment variable of a field: ``INKFLEET_DEVICE_NAME``."""
        return f"INKFLEET_{cls.section}_{field}".upper()

    @classmethod
    def load(cls, *, given: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None) -> Self:
        """Gather the settings from all their places and check them.

        Args:
            given: what the command line says; only what was given there.
            environ: the environment.
            file: a TOML file, if there is one.

        Raises:
            SettingsError: a file that cannot be read, an unknown key, or a value that cannot be; one line that says
                where it stands.
        """
        values: dict[str, Any] = {}
        places: dict[str, str] = {}
        for key, value in _read_section(file, cls.section).items() if file is not None else ():
            if key not in cls.model_fields:
                raise SettingsError(f"{file}: [{cls.section}] has no setting {key!r}{_hint(key, cls.model_fields)}")
            values[key], places[key] = value, f"{file}: [{cls.section}] {key}"
        prefix = cls.variable("")
        fields = {cls.variable(key): key for key in cls.model_fields}
        for name in sorted(environ):
            if name.startswith(prefix):
                if name not in fields:
                    raise SettingsError(f"environment variable {name} is no setting{_hint(name, fields)}")
                key = fields[name]
                values[key], places[key] = _from_text(cls, key, environ[name]), name
            elif _is_nobodys(name):
                known = ", ".join(f"INKFLEET_{section.upper()}_…" for section in SECTIONS)
                raise SettingsError(f"environment variable {name} is no setting; there are {known}")
        for key, value in given.items():
            values[key], places[key] = value, "--" + key.replace("_", "-")
        try:
            return cls(**values)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            key = str(fault["loc"][0]) if fault["loc"] else ""
            where = places.get(key, "--" + key.replace("_", "-") if key else cls.section)
            said = fault["msg"].removeprefix("Value error, ").replace("Field required", "is needed")
            got = "" if fault["type"] in ("missing", "value_error") else f", got {fault['input']!r}"
            raise SettingsError(f"{where}: {said[:1].lower()}{said[1:]}{got}") from None


def _read_section(file: Path, section: str) -> dict[str, Any]:
    try:
        data = read_bounded(file, what="settings file", most_bytes=MOST_FILE_BYTES, error=SettingsError)
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}") from None
    except RecursionError:
        raise SettingsError(f"settings file {file} is not TOML: its brackets are nested too deep") from None
    for name, table in document.items():
        if name not in SECTIONS:
            raise SettingsError(f"{file}: unknown table [{name}]; there are {', '.join(f'[{s}]' for s in SECTIONS)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{file}: {name} must be a table: write [{name}] on a line of its own")
    return dict(document.get(section, {}))


def _from_text(cls: type[Settings], key: str, text: str) -> Any:
    """Read an environment variable: a list is split at commas, a JSON array is taken as one."""
    annotation = str(cls.model_fields[key].annotation)
    if "tuple[" not in annotation:
        return text
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"environment variable {cls.variable(key)} is not a JSON array: {error}") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_nobodys(name: str) -> bool:
    """Tell whether a variable looks like a setting but belongs to no command."""
    known = (*(f"INKFLEET_{section}_".upper() for section in SECTIONS), *OTHER_VARIABLES)
    return name.startswith("INKFLEET_") and not name.startswith(known)


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
