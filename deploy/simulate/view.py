"""What a person sees of a run: a live view on a terminal, a line a round anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.report.wording import duration, partition_name, percent, plural, size
from deploy.simulate.progress import Progress

BLOCKS = "▁▂▃▄▅▆▇█"
LOOKS = {
    "training": ("●", "green"),
    "fetching": ("▼", "cyan"),
    "uploading": ("▲", "magenta"),
    "done": ("✓", "blue"),
    "waiting": ("·", "yellow"),
    "idle": ("·", "bright_black"),
    "starting": ("○", "bright_black"),
    "failed": ("!", "red"),
    "away": ("x", "red"),
}
NAMED_UP_TO = 16
"""So many devices are shown by name; of more, a mark each."""

REFRESH_S = 0.15


class View:
    """Shows one run. A context manager; what it shows goes to the console's own stream.

    Args:
        progress: the run.
        console: where to.
        broker: the broker, in words.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        console: Console,
        broker: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.progress = progress
        self._console = console
        self._broker = broker
        self._clock = clock
        self._live: Live | None = None
        self._shown_at = float("-inf")
        self._activities: dict[str, str] = {}
        self._page = ""

    def event(self, event: dict[str, Any]) -> None:
        """Take in what the aggregator says."""
        self.progress.take(event, now=self._clock())
        if event.get("event") == "page" and event["url"] != self._page:
            self._page = event["url"]
            self._console.print(f"the fleet's page: {self._page}", highlight=False, soft_wrap=True)
        if event.get("event") == "opened" and self.progress.attempt > 1:
            self._console.print(reopened_line(self.progress), highlight=False, soft_wrap=True)
        if self._live is None and event.get("event") == "round":
            self._console.print(round_line(event, rounds=self.progress.rounds), highlight=False, soft_wrap=True)

    def tick(self, activities: dict[str, str]) -> None:
        """Take in what the devices do, and draw anew if it is time."""
        self._activities = activities
        if self._live is not None and self._clock() >= self._shown_at + REFRESH_S:
            self._shown_at = self._clock()
            self._live.update(self._drawn(), refresh=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(self._drawn(), console=self._console, auto_refresh=False, transient=False)
            self._live.start()
        else:
            self._console.print(self._heading(), highlight=False, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)
            self._live.stop()

    def _heading(self) -> str:
        name = partition_name(self.progress.partition)
        return f"{name}: {plural(len(self.progress.devices), 'device')} through {self._broker}"

    def _drawn(self) -> RenderableType:
        return Group(Text(self._heading(), style="bold"), self._rounds(), self._reading(), self._devices())

    def _rounds(self) -> RenderableType:
        progress, now = self.progress, self._clock()
        line = Table.grid(padding=(0, 2))
        left_s = progress.left_s(now=now)
        words = f"round {progress.round} of {progress.rounds}" if progress.round else "waiting for devices"
        if progress.attempt > 1:
            words += f" (attempt {progress.attempt})"
        got = f"{len(progress.received)} of {len(progress.invited)} updates" if progress.invited else ""
        if not progress.round:
            got = f"{progress.online} of {len(progress.devices)} are there"
        if progress.closed == progress.rounds:
            words, got = f"{plural(progress.rounds, 'round')}", "done"
        line.add_row(
            words,
            ProgressBar(total=1.0, completed=progress.share(), width=min(36, max(10, self._console.width - 70))),
            got,
            f"up {size(progress.bytes_up)}, down {size(progress.bytes_down)}",
            f"{duration(left_s)} left" if left_s else "",
        )
        return line

    def _reading(self) -> Text:
        rounds = sorted(self.progress.accuracies)
        if not rounds:
            return Text("accuracy  –", style="bright_black")
        values = [self.progress.accuracies[number] for number in rounds]
        last = rounds[-1]
        return Text.assemble(
            "accuracy ",
            (percent(values[-1]), "bold green"),
            "  ",
            (sparkline(values[-60:]), "green"),
            f"  loss {self.progress.losses[last]:.3f} after round {last}",
        )

    def _devices(self) -> RenderableType:
        doing = self.progress.activity(self._activities)
        if len(doing) <= NAMED_UP_TO:
            columns = max(1, min(4, self._console.width // 26))
            table = Table.grid(padding=(0, 2))
            cells = []
            for name, activity in doing.items():
                mark, style = LOOKS.get(activity, LOOKS["idle"])
                cells.append(Text.assemble((f"{mark} ", style), name, " ", (activity, style)))
            for start in range(0, len(cells), columns):
                table.add_row(*cells[start : start + columns])
            return table
        marks = Text()
        for activity in doing.values():
            mark, style = LOOKS.get(activity, LOOKS["idle"])
            marks.append(mark, style)
        counts = self.progress.activities(self._activities)
        return Group(marks, Text(", ".join(f"{n} {activity}" for activity, n in counts.most_common())))


def reopened_line(progress: Progress) -> str:
    """Tell that a round is opened again, and who has not answered."""
    missing = [name for name in progress.invited if name not in progress.received]
    named = ", ".join(missing[:4]) + (f" and {len(missing) - 4} more" if len(missing) > 4 else "")
    return f"round {progress.round} is opened again (attempt {progress.attempt}): no update of {named} came in time"


def sparkline(values: list[float]) -> str:
    """Draw values between 0 and 1 as a row of blocks."""
    return "".join(BLOCKS[min(len(BLOCKS) - 1, max(0, int(value * len(BLOCKS))))] for value in values)


def round_line(event: dict[str, Any], *, rounds: int) -> str:
    """Tell a round in one line."""
    return (
        f"round {event['round']} of {rounds}: accuracy {percent(event['accuracy'])}, loss {event['loss']:.3f}, "
        f"{plural(event['participants'], 'update')}, {duration(event['wall_s'])}, "
        f"up {size(event['bytes_up'])}, down {size(event['bytes_down'])}"
    )
