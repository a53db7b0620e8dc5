"""``inkfleet aggregator``: serve a fleet."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

import rich_click as click

from aggregator.settings import AggregatorSettings
from deploy.cli import INTERRUPTED
from deploy.cli.options import settings_options

if TYPE_CHECKING:
    from aggregator.service import RunSummary


@click.command()
@settings_options(AggregatorSettings)
@click.option("--json", "as_json", is_flag=True, help="Write every event as a line of JSON, and nothing else.")
def command(settings: AggregatorSettings, *, as_json: bool) -> None:
    """Serve a fleet: run rounds, average, broadcast.

    The devices connect to the same broker under the same fleet's name. Ctrl-C stops the run and keeps it;
    --resume goes on.

    Example: inkfleet aggregator --broker mqtt://127.0.0.1:1883 --min-devices 2 --rounds 20 --test-data digits.npz
    """
    from aggregator.service import Aggregator
    from deploy.datasets import open_any
    from tflite_models.bundle import ModelBundle, builtin_bundle

    model = ModelBundle.load(settings.model) if settings.model is not None else builtin_bundle(settings.labels)
    test = None
    if settings.test_data is not None:
        test = open_any(settings.test_data, labels=model.manifest.label_set_object()).dataset
    with _stopped_by_signals() as stop, _told(as_json=as_json, rounds=settings.rounds) as on_event:
        summary = Aggregator(settings, model=model, test=test, on_event=on_event).run(stop)
    if not summary.finished:
        click.echo(_how_to_resume(settings, summary), err=True)
        sys.exit(INTERRUPTED)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """Set an event at the first Ctrl-C or SIGTERM; a second one interrupts whatever goes on."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told(*, as_json: bool, rounds: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Give what events are told to: JSON lines, a progress bar with lines above it on a terminal, or plain lines."""
    if as_json:
        yield lambda event: print(json.dumps(event), flush=True)  # noqa: T201
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:

        def plain(event: dict[str, Any]) -> None:
            line = line_of(event)
            if line:
                click.echo(f"{time.strftime('%H:%M:%S')} {line}")

        yield plain
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (TextColumn("rounds"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=rounds)

        def shown(event: dict[str, Any]) -> None:
            line = line_of(event)
            if line:
                progress.console.print(Text.assemble((time.strftime("%H:%M:%S "), "dim"), line))
            if event["event"] == "opened":
                progress.update(task, completed=event["round"] - 1, description=f"0 of {len(event['invited'])} updates")
            elif event["event"] == "update":
                progress.update(task, description=f"{event['received']} of {event['of']} updates")
            elif event["event"] == "round":
                progress.update(task, completed=event["round"])

        yield shown


def line_of(event: dict[str, Any]) -> str | None:
    """Say an event in a line for a person; None for those that say nothing new."""
    kind = event["event"]
    if kind == "listening":
        return f"fleet {event['fleet']}: run {event['run']} listens"
    if kind == "waiting":
        return f"waiting: {event['reason']}"
    if kind == "device":
        return f"{event['device']} is {'online' if event['online'] else 'offline'} ({event['devices']} online)"
    if kind == "opened":
        again = f", attempt {event['attempt']}" if event["attempt"] > 1 else ""
        return f"round {event['round']} of {event['rounds']}{again}: {len(event['invited'])} devices invited"
    if kind == "update":
        why = f": {event['reason']}" if event["reason"] else ""
        counted = f"{event['received']} of {event['of']}"
        return f"{event['device']}: update {event['verdict']}, {event['samples']} samples ({counted}){why}"
    if kind == "declined":
        return f"{event['device']}: cannot take part in round {event['round']}: {event['reason']}"
    if kind == "round":
        accuracy = "not tested" if event["accuracy"] is None else f"accuracy {event['accuracy']:.2%}"
        return (
            f"round {event['round']}: {accuracy}, {event['participants']} updates, {event['samples']} samples, "
            f"{event['wall_s']:.1f} s, {event['bytes_up'] / 1e6:.1f} MB up, {event['bytes_down'] / 1e6:.1f} MB down"
        )
    if kind == "broker":
        return "broker: connected again" if event["connected"] else f"broker: {event['reason']}; trying again"
    if kind == "rival":
        return (
            f"warning: another aggregator is online in fleet {event['fleet']}; two of them disturb each other: "
            "stop one, or take another --fleet"
        )
    if kind == "dropped":
        return f"{event['count']} messages were passed over: {event['reason']}"
    if kind == "finished":
        return f"finished: {event['weights']} (sha256 {event['weights_sha256'][:12]})"
    return None


def _how_to_resume(settings: AggregatorSettings, summary: RunSummary) -> str:
    if not summary.run:
        return "interrupted before the run began"
    return (
        f"interrupted after {summary.rounds} of {settings.rounds} rounds; the run is kept in {settings.folder}: "
        "add --resume to the same command to go on"
    )
