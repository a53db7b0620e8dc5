"""Real commands as processes, and a look at what they leave behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil
import pytest

DEADLINE_S = 240.0

_MARK = "INKFLEET_TEST_MARK"
"""An environment variable that whatever a command starts inherits, so that nothing can hide."""


class Command:
    """An ``inkfleet`` command that runs, with the lines it has written so far."""

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.process = process
        self.lines: list[str] = []
        self.out: list[str] = []
        self._mark = mark
        self._news = threading.Condition()
        assert process.stderr is not None
        assert process.stdout is not None
        self._threads = [
            threading.Thread(target=self._read, args=(process.stderr, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(process.stdout, self.out), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, text: str) -> str:
        """Return the first line, of either stream, that holds this text."""

        def found() -> str:
            return next((line for line in [*self.lines, *self.out] if text in line), "")

        with self._news:
            self._news.wait_for(lambda: found() or self.process.poll() is not None, DEADLINE_S)
        assert found(), f"{text!r} was not said: {[*self.lines, *self.out]}"
        return found()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(DEADLINE_S)
        for thread in self._threads:
            thread.join(DEADLINE_S)
        return code

    def family(self) -> list[psutil.Process]:
        """Find everything alive that this command started, however far removed; not itself."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                ours = process.pid != self.process.pid and process.status() != psutil.STATUS_ZOMBIE
                if ours and process.environ().get(_MARK) == self._mark:
                    found.append(process)
        return found

    def leaves_nothing(self) -> bool:
        """Whether everything it started is gone; the system may take a moment to bury the dead."""
        deadline = time.monotonic() + 60.0
        while (left := self.family()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.1)
        return not left

    def _read(self, stream: IO[str], into: list[str]) -> None:
        with stream:
            for line in stream:
                with self._news:
                    into.append(line.rstrip("\n"))
                    self._news.notify_all()
        self.process.wait()
        with self._news:
            self._news.notify_all()


@pytest.fixture
def inkfleet(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Start ``inkfleet`` commands; whatever is left of them after the test is killed."""
    started: list[Command] = []

    def start(*arguments: object, limit: Callable[[], None] | None = None) -> Command:
        mark = secrets.token_hex(8)
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=os.environ | {_MARK: mark},
            start_new_session=True,
            preexec_fn=limit,
        )
        started.append(Command(process, mark))
        return started[-1]

    yield start
    for command in started:
        with suppress(ProcessLookupError):
            command.process.kill()
        for process in command.family():
            with suppress(psutil.Error):
                process.kill()
        command.end()
