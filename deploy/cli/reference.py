"""Writes ``docs/reference/cli.md`` from the commands themselves: ``python -m deploy.cli.reference > FILE``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import rich_click as click

from deploy.cli import COMMANDS, load

HEAD = """\
# The command line

Made from the commands' own `--help` by `make docs`; a test holds this page against them.

{contents}

**Settings.** The options of `simulate`, `aggregator`, `device`, `broker` and `live` can stand in three places. The
command line wins over a variable, a variable over the file given with `--config`:

| place | how |
| --- | --- |
| command line | `inkfleet device --max-samples 5000` |
| variable | `INKFLEET_DEVICE_MAX_SAMPLES=5000` |
| settings file (TOML) | `max_samples = 5000` under `[device]` |

What is given more than once on the command line, such as `--partition`, is a list in a file (`["iid", "shards"]`), and
separated by commas in a variable. A name that no command knows is refused, wherever it stands.

[Exit codes](exit-codes.md) are the same for all commands. Results go to stdout, and what went wrong to stderr.
"""


def pages() -> str:
    """Return the whole page, as Markdown."""
    commands = {f"inkfleet {name}": load(name) for name in COMMANDS}
    contents = " · ".join(f"[`{name}`](#inkfleet-{name})" for name in COMMANDS)
    parts = [HEAD.format(contents=contents)]
    for path, command in commands.items():
        parts.extend(_describe(command, path, depth=2))
    return "\n".join(parts).rstrip() + "\n"


def _describe(command: click.Command, path: str, *, depth: int) -> Iterator[str]:
    yield f"{'#' * depth} `{path}`\n"
    context = click.Context(command)
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    usage = " ".join([path, *(p.make_metavar(context) for p in arguments)])
    examples = []
    for paragraph in _plain(command.help or "").split("\n\n"):
        text = " ".join(paragraph.split())
        example = re.match(r"Examples?: *(.*)", text)
        if example:
            examples.append(example[1])
        else:
            yield text + "\n"
    if arguments:
        yield f"Called as `{usage}`, with these options:\n"
    if examples:
        yield "\n".join(["```sh", *examples, "```\n"])
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        yield "| option | what it is |\n| --- | --- |"
        for option in options:
            yield f"| {_names(option, context)} | {_says(option)} |"
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _describe(inner, f"{path} {name}", depth=depth + 1)


def _names(option: click.Option, context: click.Context) -> str:
    """Return the option as it is written, with a word for its value: ``--rounds INTEGER``."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag or isinstance(option.type, click.Choice):
        return f"`{names}`"
    return f"`{names} {option.make_metavar(context).partition(' ')[0].upper()}`"


def _says(option: click.Option) -> str:
    """Return what the option is, its choices, and its default."""
    says = _plain(option.help or "").replace("|", "\\|").replace("\n", " ").rstrip(".")
    if isinstance(option.type, click.Choice):
        says += f"; one of {', '.join(f'`{choice}`' for choice in option.type.choices)}"
    if option.show_default and not option.is_flag:
        says += f" (default: {option.default})"
    if option.required:
        says += " (needed)"
    return says + "."


def _plain(text: str) -> str:
    """Take click's and rich's marks out of a help text."""
    return text.replace("\b", "").replace("\\[", "[").replace("[/]", "").strip()


if __name__ == "__main__":
    click.echo(pages(), nl=False)
