"""Ctrl-C, made a fact that a loop can look at: the first asks for an orderly end, the second for an end at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from shared.errors import RunError

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedRunError(RunError):
    """A person ended the run; what the finished rounds gave is kept."""

    exit_code = 130


class Interrupt:
    """While it is entered, SIGINT, SIGTERM and SIGHUP set a flag; a second one calls ``harder`` and raises.

    Enter it on the main thread.
    """

    def __init__(self) -> None:
        self.harder: Callable[[], None] = lambda: None
        """What the second one does before it raises ``KeyboardInterrupt``."""
        self._asked = threading.Event()
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a person has asked for the end."""
        return self._asked.is_set()

    def check(self) -> None:
        """Raise if a person has asked for the end.

        Raises:
            KeyboardInterrupt: a person has.
        """
        if self.asked:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._asked.is_set():
            self.harder()
            raise KeyboardInterrupt
        self._asked.set()
