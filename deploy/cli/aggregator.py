"""``inkfleet aggregator``: serve a fleet."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import rich_click as click

from aggregator.event_words import in_words
from aggregator.settings import AggregatorSettings
from deploy.cli import INTERRUPTED
from deploy.cli.options import settings_options
from deploy.cli.telling import NO_BAR, Bar, telling
from shared import enrolled

if TYPE_CHECKING:
    from aggregator.service import RunSummary
    from shared.dataset import Dataset
    from shared.labels import LabelSet


@click.command()
@settings_options(AggregatorSettings)
@click.option("--json", "as_json", is_flag=True, help="Write every event as a line of JSON, and nothing else.")
def command(settings: AggregatorSettings, *, as_json: bool) -> None:
    """Serve a fleet: run rounds, average, broadcast.

    The devices connect to the same broker under the same fleet's name. Ctrl-C stops the run and keeps it;
    --resume goes on. Where the broker is not on this machine, --identity proves who is who. --page shows the fleet in a
    browser while it runs.

    Example: inkfleet aggregator --broker mqtt://127.0.0.1:1883 --min-devices 2 --rounds 20 --test-data digits.npz
    """
    from aggregator.front import Front
    from aggregator.service import Aggregator
    from tflite_models.bundle import ModelBundle, builtin_bundle

    model = ModelBundle.load(settings.model) if settings.model is not None else builtin_bundle(settings.labels)
    test = None
    if settings.test_data is not None:
        test = partial(_open_test, settings.test_data, model.manifest.label_set_object())
    bar = partial(_bar, rounds=settings.rounds)
    with _stopped_by_signals() as stop, telling(in_words, as_json=as_json, bar=bar) as tell:
        for notice in enrolled.notices(settings.identity, role="aggregator", now=datetime.now(UTC)):
            _warn(notice)
        with Front(settings, tell=tell, trouble=_warn) as front:

            def on_event(event: dict[str, Any]) -> None:
                tell(event)
                front.observe(event)

            summary = Aggregator(
                settings,
                model=model,
                test=test,
                on_event=on_event,
                credentials=enrolled.aggregator_credentials(settings.identity),
                lookout=front.lookout,
            ).run(stop)
    if not summary.finished:
        click.echo(_how_to_resume(settings, summary), err=True)
        sys.exit(INTERRUPTED)


def _warn(line: str) -> None:
    click.echo(f"warning: {line}", err=True)


def _open_test(path: Path, labels: LabelSet) -> Dataset:
    from deploy.datasets import open_any

    return open_any(path, labels=labels).dataset


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


def _bar(event: dict[str, Any], *, rounds: int) -> Bar | None:
    """Count the rounds, and beside them the updates of the one that is open."""
    match event["event"]:
        case "opened":
            return Bar("rounds", event["round"] - 1, rounds, f"0 of {len(event['invited'])} updates")
        case "update":
            return Bar("rounds", event["round"] - 1, rounds, f"{event['received']} of {event['of']} updates")
        case "finished":
            return NO_BAR
    return None


def _how_to_resume(settings: AggregatorSettings, summary: RunSummary) -> str:
    if not summary.run:
        return "interrupted before the run began"
    return (
        f"interrupted after {summary.rounds} of {settings.rounds} rounds; the run is kept in {settings.folder}: "
        "add --resume to the same command to go on"
    )
