"""A secure broker in the foreground: who may do what is read again when it changes, or when SIGHUP asks for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from deploy.brokers.running import RunningBroker

_LOOK_EVERY_S = 1.0


def wait_and_reload(
    broker: RunningBroker, lists: Sequence[Path], *, greeting: str, say: Callable[[str], None]
) -> int | None:
    """Wait for a broker to end, on the main thread, and have it read its lists again meanwhile.

    Args:
        broker: a Mosquitto.
        lists: the files that it reads again; one that is missing is looked for as long as the broker runs.
        greeting: said first, when SIGHUP is heard.
        say: told what was done, one line each time.

    Returns:
        The broker's exit code.

    Raises:
        KeyboardInterrupt: the terminal that this process was started at was closed.
    """
    at_a_terminal = os.isatty(0)

    def hang_up(number: int, frame: FrameType | None) -> None:
        if at_a_terminal and not os.isatty(0):
            raise KeyboardInterrupt
        broker.reload()
        say("reloaded: asked by SIGHUP")

    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        known = _looks(lists)
        say(greeting)
        while (code := broker.wait(_LOOK_EVERY_S)) is None:
            now = _looks(lists)
            if now != known:
                broker.reload()
                changed = [file.name for file in lists if now.get(file) != known.get(file)]
                say(f"reloaded: {', '.join(changed)} changed")
                known = now
        return code
    finally:
        signal.signal(signal.SIGHUP, before)


def _looks(lists: Sequence[Path]) -> dict[Path, tuple[int, int, int]]:
    """Return what tells a file's contents apart from those before, of each that is there."""
    looks = {}
    for file in lists:
        try:
            stat = file.stat()
        except OSError:
            continue
        looks[file] = stat.st_mtime_ns, stat.st_size, stat.st_ino
    return looks
