"""The command line: ``inkfleet``. Subcommands load when they are called, so that ``--help`` imports nothing heavy."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

import rich_click as click

from shared.errors import InkfleetError

COMMANDS = {
    "simulate": ("deploy.cli.simulate:command", "Train a fleet of devices on this machine, through a real broker."),
    "aggregator": ("deploy.cli.aggregator:command", "Serve a fleet: run rounds, average, broadcast."),
    "device": ("deploy.cli.device:command", "Be a device: train on your own samples, publish weights."),
    "broker": ("deploy.cli.broker:command", "Run an MQTT broker for a fleet on this machine."),
    "read": ("deploy.cli.read:command", "Read handwritten maths in pictures and videos."),
    "live": ("deploy.cli.live:command", "Read handwritten maths from a camera as it runs."),
    "data": ("deploy.cli.data:group", "Import, generate, split and show handwriting."),
    "model": ("deploy.cli.model:group", "Build, inspect, verify and evaluate models."),
    "fleet": ("deploy.cli.fleet:group", "Say who belongs to a fleet: identities, certificates, access."),
    "doctor": ("deploy.cli.doctor:command", "Check that this machine can run Inkfleet."),
}
"""Name, where it is defined, and its line in ``inkfleet --help``."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


class LazyGroup(click.RichGroup):
    """A group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        says = COMMANDS[cmd_name][1]
        return click.RichCommand(name=cmd_name, short_help=says, help=says)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> click.Command:
    """Import a subcommand."""
    module, attribute = COMMANDS[name][0].split(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="inkfleet", prog_name="inkfleet")
def entry() -> None:
    """A fleet of devices that learn to read handwritten maths together, and keep their pictures to themselves."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: a mistake of a user's is one line on stderr, never a traceback."""
    try:
        # A shell that starts a command in the background has it ignore SIGINT; here it always means: stop.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminated)
        entry.main(args=arguments, prog_name="inkfleet", standalone_mode=False)
    except click.ClickException as error:
        place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "inkfleet"
        click.echo(f"inkfleet: {' '.join(error.format_message().split())} (see {place} --help)", err=True)
        _exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        _exit(INTERRUPTED)
    except InkfleetError as error:
        click.echo(f"inkfleet: {' '.join(str(error).split())}", err=True)
        _exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"inkfleet: {where}{error.strerror or error}", err=True)
        _exit(7)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _exit(code: int) -> None:
    sys.exit(code)
