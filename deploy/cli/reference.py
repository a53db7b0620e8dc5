"""Writes ``docs/reference/cli.md`` from the commands themselves: ``python -m deploy.cli.reference > FILE``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import rich_click as click

from deploy.cli import COMMANDS, load

HEAD = """\
# The command line

Made from the commands' own `--help` by `make docs`; a test holds this page against them.

Every option that names a variable can be set there too; the command line wins over the variable, the variable over the
file given with `--config`. [Exit codes](exit-codes.md) are the same for all commands.
"""


def pages() -> str:
    """Return the whole page, as Markdown."""
    parts = [HEAD]
    for name in COMMANDS:
        parts.extend(_describe(load(name), f"inkfleet {name}"))
    return "\n".join(parts).rstrip() + "\n"


def _describe(command: click.Command, path: str) -> Iterator[str]:
    yield f"## `{path}`\n"
    for paragraph in _plain(command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        example = re.match(r"Examples?: *(.*)", text)
        yield f"```sh\n{example[1]}\n```\n" if example else text + "\n"
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    if arguments:
        yield "Arguments: " + ", ".join(f"`{p.make_metavar(click.Context(command))}`" for p in arguments) + "\n"
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        yield "| option | what it is |\n| --- | --- |"
        for option in options:
            names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
            says = _plain(option.help or "").replace("|", "\\|").replace("\n", " ")
            if isinstance(option.type, click.Choice):
                says = f"One of {', '.join(f'`{choice}`' for choice in option.type.choices)}. {says}"
            yield f"| {names} | {says} |"
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            if inner is not None:
                yield from _describe(inner, f"{path} {name}")


def _plain(text: str) -> str:
    """Take click's and rich's marks out of a help text."""
    return text.replace("\b", "").replace("\\[", "[").replace("[/]", "").strip()


if __name__ == "__main__":
    click.echo(pages(), nl=False)
