"""How a command tells what happens: lines of JSON, plain lines, or lines above a progress bar on a terminal."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import rich_click as click

Event = dict[str, Any]
"""What happened: its kind under the key ``event``, and what there is to say about it."""

Tell = Callable[[Event], None]


@dataclass(frozen=True)
class Bar:
    """A state of the progress bar. It is seen while less is done than there is to do.

    Attributes:
        what: is done; left of the bar.
        done: how much.
        total: of how much.
        note: right of the bar.
    """

    what: str
    done: int
    total: int
    note: str = ""


NO_BAR = Bar("", 0, 0)
"""Takes the bar away."""


@contextmanager
def telling(
    in_words: Callable[[Event], str],
    *,
    as_json: bool,
    bar: Callable[[Event], Bar | None] = lambda event: None,
    only_bar: Collection[str] = (),
) -> Iterator[Tell]:
    """Give what events are told to; from any thread, one at a time.

    Args:
        in_words: says an event in one line, or more with line feeds; empty for those that a person need not read.
        as_json: write every event as a line of JSON instead.
        bar: the progress bar after an event; None leaves it as it is.
        only_bar: kinds of events that do no more than move the bar: they are not written as JSON.
    """
    if as_json:
        yield lambda event: None if event["event"] in only_bar else click.echo(json.dumps(event))
    elif sys.stdout.isatty():
        with _terminal(in_words, bar) as tell:
            yield tell
    else:
        yield lambda event: write_plainly(in_words(event))


def write_plainly(line: str) -> None:
    """Write a line with the time of day before it; nothing where there is nothing to say."""
    if line:
        click.echo(f"{time.strftime('%H:%M:%S')} {line}")


@contextmanager
def _terminal(in_words: Callable[[Event], str], bar: Callable[[Event], Bar | None]) -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    console = Console(highlight=False, soft_wrap=True)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("", visible=False, note="")

        def tell(event: Event) -> None:
            line = in_words(event)
            if line:
                console.print(Text.assemble((time.strftime("%H:%M:%S "), "dim"), line))
            state = bar(event)
            if state is not None:
                progress.update(
                    task,
                    description=state.what,
                    completed=state.done,
                    total=state.total,
                    note=state.note,
                    visible=state.done < state.total,
                )

        yield tell
