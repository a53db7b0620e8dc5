"""A secure broker in the foreground: who may do what is read again when it changes, or when SIGHUP asks for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from deploy.brokers.running import RunningBroker

_LOOK_EVERY_S = 0.5


def wait_and_reload(
    broker: RunningBroker,
    lists: Sequence[Path],
    *,
    greeting: str,
    say: Callable[[str], None],
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
    at_a_terminal, asked = os.isatty(0), False

    def hang_up(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if at_a_terminal and not os.isatty(0):
            raise KeyboardInterrupt
        # No more than that: the signal may come while a line is being said.
        asked = True

    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        known = _looks(lists)
        say(greeting)
        while (code := broker.wait(_LOOK_EVERY_S)) is None:
            now = _looks(lists)
            changed = [file.name for file in lists if now.get(file) != known.get(file)]
            if asked or changed:
                why = f"{', '.join(changed)} changed" if changed else "asked by SIGHUP"
                asked, known = False, now
                reason = broker.reload()
                say(f"not reloaded: {reason} (what was read before still holds)" if reason else f"reloaded: {why}")
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
