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
expelled     a device belongs to the fleet no more: ``device``, ``reason``, ``devices`` (how many are online)
rested       a device failed in rounds one after the other, and is not invited for a while: ``device``, ``failures``,
             ``until`` (the last round without it), ``reason``
blocked      something cannot be written, and is tried until it can: ``reason``
unblocked    it was written in the end: ``reason``, ``blocked_s``
recovered    the database was damaged, and the run goes on from a checkpoint: ``run``, ``round``, ``reason``
rival        another aggregator is, or was until a moment ago, online in this fleet: ``fleet``, ``session``
dropped      messages broke the protocol: ``reason`` of the last, ``count`` since the last such event
finished     all rounds are done: ``run``, ``rounds``, ``weights_sha256``, ``weights`` (the file)
===========  ==========================================================================================================
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.files import NO_ROOM, storage_error, write_bytes

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
        self._events = _Lines(folder / "events.jsonl")
        self._metrics = _Lines(folder / "metrics.jsonl")

    def __enter__(self) -> Self:
        """Open the files to append to them.

        Raises:
            StorageError: the folder cannot be written.
        """
        try:
            self._events.open()
            self._metrics.open()
        except OSError as error:
            raise storage_error(f"cannot write in {self._folder}", error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._events, self._metrics):
            file.close()

    def say(self, event: str, **fields: Any) -> None:
        """Tell an event.

        Raises:
            StorageError: it cannot be kept, for another reason than a full disk.
        """
        entry: Event = {"event": event, **fields}
        line = json.dumps(entry, allow_nan=False).encode() + b"\n"
        try:
            self._events.append(line)
            if event == "round":
                self._metrics.append(line)
        except OSError as error:
            raise storage_error(f"cannot write in {self._folder}", error) from error
        self._listener(entry)


class _Lines:
    """A file of lines. On a full disk they wait in memory, up to a bound: the run is worth more than its story.

    Args:
        path: of the file.
    """

    MOST_WAITING_BYTES = 1 << 20

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._waiting = b""

    def open(self) -> None:
        """Open the file; a last line that a crash has torn is ended, so that it takes no other with it."""
        file = self._file = FileIO(self._path, "ab+")
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                self._waiting = b"\n"

    def append(self, line: bytes) -> None:
        """Write a line after those that wait."""
        assert self._file is not None, "the file is open"
        if len(self._waiting) < self.MOST_WAITING_BYTES:
            self._waiting += line
        try:
            while self._waiting:
                # Of a line that a full disk took in part, the rest follows.
                self._waiting = self._waiting[self._file.write(self._waiting) :]
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise

    def close(self) -> None:
        """Close the file; what still waits is lost."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.append(b"")
            self._file.close()
            self._file = None


def rewrite_metrics(folder: Path, lines: Iterable[Event]) -> None:
    """Write ``metrics.jsonl`` anew: after a crash its last line may be torn, or lacking.

    Raises:
        StorageError: it cannot be written.
    """
    text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
    write_bytes(folder / "metrics.jsonl", text.encode())
