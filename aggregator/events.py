"""What an aggregator says about its run: JSON events, and one line of metrics for each round.

===========  ==========================================================================================================
event        says
===========  ==========================================================================================================
listening    the broker is reached: ``run``, ``fleet``, ``round`` (the next one)
waiting      what for: ``reason``, ``left_s``
device       one came or went: ``device``, ``online``, ``devices`` (how many are online)
opened       a round: ``run``, ``round``, ``rounds``, ``attempt``, ``invited``, ``quorum``
update       one has its verdict: ``round``, ``device``, ``samples``, ``verdict``, ``reason``, ``received``, ``of``,
             ``metrics``
declined     an invited device cannot take part: ``round``, ``attempt``, ``device``, ``reason``
closed       a round takes no more: ``round``, ``participants``
round        a round is committed and tested, in the order of the rounds; the line of ``metrics.jsonl``
broker       the connection was lost or is back: ``connected``, ``reason``
rival        another aggregator is, or was until a moment ago, online in this fleet: ``fleet``, ``session``
dropped      messages broke the protocol: ``reason`` of the last, ``count`` since the last such event
finished     all rounds are done: ``run``, ``rounds``, ``weights_sha256``, ``weights`` (the file)
===========  ==========================================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from shared.errors import StorageError
from shared.files import write_bytes

Event = dict[str, Any]
"""``{"event": kind, …}``, see above."""


class EventLog:
    """Tells a listener each event, and keeps it in ``events.jsonl``; the metrics also in ``metrics.jsonl``.

    Args:
        folder: where the two files are.
        listener: told each event, on the thread that says it.
    """

    def __init__(self, folder: Path, *, listener: Callable[[Event], None]) -> None:
        self._folder = folder
        self._listener = listener
        self._events: IO[str] | None = None
        self._metrics: IO[str] | None = None

    def __enter__(self) -> Self:
        """Open the files to append to them.

        Raises:
            StorageError: the folder cannot be written.
        """
        try:
            self._events = (self._folder / "events.jsonl").open("a", encoding="utf-8")
            self._metrics = (self._folder / "metrics.jsonl").open("a", encoding="utf-8")
        except OSError as error:
            raise StorageError(f"cannot write in {self._folder}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._events, self._metrics):
            if file is not None:
                file.close()

    def say(self, event: str, **fields: Any) -> None:
        """Tell an event.

        Raises:
            StorageError: it cannot be kept.
        """
        entry: Event = {"event": event, **fields}
        self._append(self._events, entry)
        if event == "round":
            self._append(self._metrics, entry)
        self._listener(entry)

    def _append(self, file: IO[str] | None, entry: Event) -> None:
        assert file is not None, "the log is open"
        try:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
            file.flush()
        except OSError as error:
            raise StorageError(f"cannot write in {self._folder}: {error.strerror or error}") from error


def rewrite_metrics(folder: Path, lines: Iterable[Event]) -> None:
    """Write ``metrics.jsonl`` anew: after a crash its last line may be torn, or lacking.

    Raises:
        StorageError: it cannot be written.
    """
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    write_bytes(folder / "metrics.jsonl", text.encode())
