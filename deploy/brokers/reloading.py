"""A secure broker in the foreground: who may do what is read again when it changes, or when SIGHUP asks for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import FrameType

from deploy.brokers.running import RunningBroker

_LOOK_EVERY_S = 0.5
_TRY_AGAIN_S = 5.0

Look = tuple[int, int, int] | None
"""When a file was changed, its size and its number; None where it is missing."""


def wait_and_reload(
    broker: RunningBroker,
    known: Mapping[Path, Look],
    *,
    greeting: str,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> int | None:
    """Wait for a broker to end, on the main thread, and have it read its lists again meanwhile.

    Where that failed it is tried again: a list that becomes whole within the tick of a file's clock does not look
    changed, and a disk that was full may have room. A revocation must not wait for the next one.

    Args:
        broker: a Mosquitto.
        known: the files that it reads again, as `look` found them before the broker started.
        greeting: said first, when SIGHUP is heard.
        say: told what was done, one line each time; why it was not, once for each reason.
        clock: seconds, never running backwards.

    Returns:
        The broker's exit code.

    Raises:
        KeyboardInterrupt: the terminal that this process was started at was closed.
    """
    at_a_terminal, asked = os.isatty(0), False
    pending, failed, again_at = "", "", float("inf")

    def hang_up(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if at_a_terminal and not os.isatty(0):
            raise KeyboardInterrupt
        # No more than that: the signal may come while a line is being said.
        asked = True

    before = signal.signal(signal.SIGHUP, hang_up)
    try:
        say(greeting)
        while (code := broker.wait(_LOOK_EVERY_S)) is None:
            now = look(known)
            changed = [file.name for file in known if now[file] != known[file]]
            if asked or changed:
                pending = f"{', '.join(changed)} changed" if changed else "asked by SIGHUP"
                asked, known, failed, again_at = False, now, "", clock()
            if clock() >= again_at:
                reason = broker.reload()
                again_at = clock() + _TRY_AGAIN_S if reason else float("inf")
                if not reason:
                    say(f"reloaded: {pending}")
                elif reason != failed:
                    say(f"not reloaded: {reason} (what was read before still holds)")
                failed = reason
        return code
    finally:
        signal.signal(signal.SIGHUP, before)


def look(lists: Iterable[Path]) -> dict[Path, Look]:
    """Return what tells each file's contents apart from those before; nothing of one that is missing."""
    looks: dict[Path, Look] = {}
    for file in lists:
        try:
            stat = file.stat()
        except OSError:
            looks[file] = None
        else:
            looks[file] = stat.st_mtime_ns, stat.st_size, stat.st_ino
    return looks
