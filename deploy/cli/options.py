"""Command-line options made from a command's settings, so that one schema says it all."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import rich_click as click
from pydantic.fields import FieldInfo

from shared.settings import Settings

S = TypeVar("S", bound=Settings)


def settings_options(schema: type[S]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for every field of a settings class, and ``--config`` for its TOML file.

    The command's function receives ``settings`` (an instance of the class) in place of the single options.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def command(**arguments: Any) -> Any:
            given = {}
            for key in schema.model_fields:
                value = arguments.pop(key)
                if value is not None and value != ():
                    given[key] = value
            file = arguments.pop("config")
            return function(settings=schema.load(given=given, environ=os.environ, file=file), **arguments)

        command.__name__ = function.__name__
        command.__doc__ = function.__doc__
        command.__click_params__ = list(getattr(function, "__click_params__", []))  # type: ignore[attr-defined]
        first = next(iter(schema.model_fields))
        config = click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"settings file (TOML) with a table [{schema.section}]. Every option above may stand there "
            f"({first} = …), or in a variable ({schema.variable(first)}).",
        )
        wrapped: Callable[..., Any] = config(command)
        for key, field in reversed(schema.model_fields.items()):
            wrapped = _option(key, field)(wrapped)
        return wrapped

    return decorate


def _option(key: str, field: FieldInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    kind, many = _kind(field.annotation)
    flag = "--" + key.replace("_", "-")
    default = field.get_default(call_default_factory=True) if not field.is_required() else None
    says = (field.description or "").rstrip(".")
    if field.is_required():
        says += " (needed)"
    elif default not in (None, (), "", False):
        shown = ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        says += f" (default: {shown})"
    says += "."
    declaration = f"{flag}/--no-{flag.removeprefix('--')}" if kind is bool else flag
    option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
        declaration, key, type=None if kind is bool else kind, multiple=many, default=None, help=says
    )
    return option


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the click type of an annotation, and whether the option may be given many times."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return _kind(next(part for part in typing.get_args(annotation) if part is not type(None)))
    if origin is tuple:
        return _kind(typing.get_args(annotation)[0])[0], True
    if origin is Literal:
        return click.Choice([str(value) for value in typing.get_args(annotation)]), False
    if annotation is Path:
        return click.Path(path_type=Path), False
    if annotation in (bool, int, float):
        return annotation, False
    return str, False
